"""A simulator of Google SecOps: logs:import as documented, with its limits and faults.

Run it with `python -m infra.local.secops --port P`; script it through `/control` (client.SecOpsControl).
"""
