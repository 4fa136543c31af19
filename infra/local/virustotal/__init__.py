"""A simulator of VirusTotal: feeds with their redirects, lists, and faults, over real HTTP.

Run it with `python -m infra.local.virustotal --port P --download-port Q`; script it through `/control`
(client.SimulatorControl, streams.client.ListsControl).
"""
