"""A VirusTotal that runs on one machine: the feeds API, its redirects, and its bad days, over real HTTP.

Run it with `python -m infra.local.virustotal --port P --download-port Q`; script it through `/control`
(client.SimulatorControl). Other parts of the API join as further route functions in `__main__`.
"""
