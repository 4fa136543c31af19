"""Lines of the sandbox feed: the behaviour of files."""

from infra.local.virustotal.content import names, relationships
from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.entity import contacts, server_of
from infra.local.virustotal.content.entity_version import API, EntityVersion, Json, line_object
from infra.local.virustotal.content.submitter import download_link

# Names with spaces become part of ids, and so of links, unescaped.
_SANDBOXES = ("Glasshouse", "Quiet Harbor Sandbox", "Paper Lantern", "Tidepool VM")
_ARTEFACTS = {"html_report": "html", "pcap": "pcap", "evtx": "evtx", "memdump": "memdump"}
_FOLDERS = (
    "C:\\ProgramData\\Simulated",
    "C:\\Users\\visitor\\AppData\\Local\\Temp",
    "C:\\Program Files\\Made Up Suite",
    "C:\\Windows\\System32\\drivers\\simulated",
)
# Reports repeat a few names, which makes real packages compress well.
_NOUNS = tuple(Draw("vocabulary").word() for _ in range(40))
_SEVERITIES = ("IMPACT_SEVERITY_INFO", "IMPACT_SEVERITY_LOW", "IMPACT_SEVERITY_MEDIUM")


def write(version: EntityVersion) -> Json:
    """Return one object of the sandbox feed; it has analysis_date instead of last_analysis_date."""
    draw = version.entity_draw()
    file = names.hashes(version.entity.in_feed("files"))
    sandbox = draw.choice(_SANDBOXES)
    name = f"{file.sha256}_{sandbox}"
    artefacts = draw.chance(0.4)
    attributes = _analysis(version, sandbox) | {f"has_{kind}": artefacts for kind in _ARTEFACTS}
    neighbour = relationships.file_neighbour(file.sha256)
    about = relationships.one_related(f"{API}/file_behaviours/{name}", "file", neighbour)
    context: Json = {"file_md5": file.md5, "file_sha1": file.sha1, "file_type_tag": "zip"}
    if artefacts:
        context |= {
            key: download_link(draw, "file-behaviours", name, version, artefact) for key, artefact in _ARTEFACTS.items()
        }
    thing = line_object("file_behaviour", "file_behaviours", name, attributes, {"file": about})
    return thing | {"context_attributes": context}


def _analysis(version: EntityVersion, sandbox: str) -> Json:
    draw = version.analysis_draw()
    scale = draw.choice((1, 1, 1, 2, 2, 6))
    report: Json = {
        "analysis_date": version.analysed,
        "last_modification_date": version.modified,
        "sandbox_name": sandbox,
        "behash": draw.hex(32),
        "verdicts": [draw.choice(("CLEAN", "MALWARE"))],
        "verdict_confidence": draw.randint(1, 100),
        "tags": ["CALLS_WMI"],
        "memory_dumps": [_dump(draw) for _ in range(20 * scale if draw.chance(0.3) else 0)],
    }
    report |= _files(draw, scale) | _registry(draw, scale) | _processes(draw, scale) | _signs(draw, scale)
    return report | {"ip_traffic": _traffic(version, draw, scale)}


def _path(draw: Draw, extension: str = "tmp") -> str:
    return f"{draw.choice(_FOLDERS)}\\{draw.choice(_NOUNS)}\\{draw.choice(_NOUNS)}.{extension}"


def _files(draw: Draw, scale: int) -> Json:
    dropped = [
        {
            "path": _path(draw),
            "sha256": draw.hex(64),
            "type": "TEXT",
            "process_name": f"{_FOLDERS[2]}\\main.exe",
            "process_id": str(draw.randint(1000, 9999)),
        }
        for _ in range(6 * scale)
    ]
    return {
        "files_opened": [_path(draw, "dll") for _ in range(60 * scale)],
        "files_written": [_path(draw) for _ in range(20 * scale)],
        "files_deleted": [_path(draw)],
        "files_dropped": dropped,
    }


def _key(draw: Draw) -> str:
    return f"HKEY_LOCAL_MACHINE\\SOFTWARE\\Made Up Suite\\{draw.choice(_NOUNS)}\\{draw.choice(_NOUNS)}"


def _registry(draw: Draw, scale: int) -> Json:
    return {
        "registry_keys_opened": [_key(draw) for _ in range(25 * scale)],
        "registry_keys_set": [{"key": _key(draw), "value": draw.hex(8)} for _ in range(8 * scale)],
        "registry_keys_deleted": [_key(draw)],
        "mutexes_created": [f"\\Sessions\\1\\BaseNamedObjects\\{draw.word()}" for _ in range(6)],
    }


def _process(draw: Draw, depth: int) -> Json:
    process: Json = {
        "process_id": str(draw.randint(1000, 9999)),
        "name": f'"{_path(draw, "exe")}" --quiet',
        "files_opened": [_path(draw) for _ in range(4)],
    }
    return process | ({"children": [_process(draw, depth - 1)]} if depth else {})


def _processes(draw: Draw, scale: int) -> Json:
    return {
        "processes_created": [f'"{_path(draw, "exe")}" --quiet' for _ in range(4 * scale)],
        "processes_tree": [_process(draw, depth=2)],
        "command_executions": [f'"{_path(draw, "exe")}" /install'],
        "system_property_lookups": ["SimulatedWmi::Connect"],
        "windows_searched": [draw.word().capitalize()],
        "ja3_digests": [draw.hex(32) for _ in range(2)],
    }


def _traffic(version: EntityVersion, draw: Draw, scale: int) -> list[Json]:
    """Return the file's contacts: the server of its domain, if it has one, and unknown addresses."""
    entity = version.entity
    known = [names.address(server_of(entity))] if contacts(entity) else []
    unknown = [draw.ipv4() for _ in range(3 * scale - len(known))]
    return [_flow(address) for address in known + unknown]


def _flow(address: str) -> Json:
    return {"destination_ip": address, "destination_port": 443, "transport_layer_protocol": "TCP"}


def _signs(draw: Draw, scale: int) -> Json:
    signatures = [
        {
            "id": str(number),
            "description": f"Simulated behaviour number {number}",
            "severity": draw.choice(_SEVERITIES),
            "match_data": [_path(draw) for _ in range(3)],
            "refs": [{"ref": "#files_written", "value": "1"}],
        }
        for number in range(6 * scale)
    ]
    technique = {
        "id": "T1036",
        "severity": _SEVERITIES[0],
        "signature_description": "Simulated behaviour number 0",
        "refs": [{"ref": "#signature_matches", "value": "0"}],
    }
    return {"signature_matches": signatures, "mitre_attack_techniques": [technique]}


def _dump(draw: Draw) -> Json:
    return {
        "file_name": f"{draw.randint(0, 99):08d}.00000002.{draw.randint(10**9, 10**10)}.{draw.hex(16)}.sdmp",
        "process": f"{_FOLDERS[2]}\\main.exe",
        "process_id": str(draw.randint(1000, 9999)),
        "base_address": str(draw.getrandbits(40)),
        "size": str(4096 * draw.randint(1, 64)),
        "stage": "MEM_STAGE_EXIT",
    }
