"""A Google SecOps that runs on one machine: logs:import as documented, its limits, and its bad days.

Run it with `python -m infra.local.secops --port P`; script it through `/control` (client.SecOpsControl).
"""
