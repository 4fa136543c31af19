"""Lines of the file feed."""

from datetime import UTC, datetime

from infra.local.virustotal.content import assessment, engines, names, relationships
from infra.local.virustotal.content.draw import Draw, written
from infra.local.virustotal.content.entity import Entity, contacts, server_of
from infra.local.virustotal.content.entity_version import API, EntityVersion, Json, line_object
from infra.local.virustotal.content.submitter import download_link, submitter

_DAY = 86_400


def write(version: EntityVersion) -> Json:
    """Return one object of the file feed."""
    draw, entity = version.entity_draw(), version.entity
    name = names.hashes(entity).sha256
    size = draw.randint(1_000, 40_000_000)
    attributes = (
        names.hashes(entity)._asdict()
        | _identity(draw, size)
        | _bundle(draw, size, version.analysed)
        | _history(draw, version.analysed)
        | _analysis(version)
    )
    link = download_link(draw, "files", name, version, "download")
    context = {"context_attributes": {"submitter": submitter(draw), "download_url": link}}
    return line_object("file", "files", name, attributes, _relationships(entity, name)) | context


def _identity(draw: Draw, size: int) -> Json:
    called = f"{draw.word()}/{draw.word()}.zip"
    return {
        "size": size,
        "ssdeep": f"{3 * 2 ** draw.randint(0, 12)}:{draw.hex(60)}:{draw.hex(30)}",
        "tlsh": f"T1{draw.hex(70).upper()}",
        "vhash": draw.hex(32),
        "permhash": draw.hex(64),
        "magic": "Made-up archive data, version 2",
        "magika": "ZIP",
        "meaningful_name": called,
        "names": [called, *(f"{draw.word()}.zip" for _ in range(draw.randint(0, 4)))],
        "type_description": "ZIP",
        "type_extension": "zip",
        "type_tag": "zip",
        "type_tags": ["compressed", "zip"],
        "tags": draw.sample(("zip", "contains-pe", "encrypted", "long-sleeps"), draw.randint(1, 3)),
        "trid": _guesses(),
        "filecondis": {"raw_md5": draw.hex(32), "dhash": draw.hex(16)},
        "main_icon": {"raw_md5": draw.hex(32), "dhash": draw.hex(16)},
        "available_tools": [],
        "downloadable": draw.chance(0.7),
    }


def _guesses() -> list[Json]:
    return [
        {"file_type": "Made-up archive format", "probability": 80.5},
        {"file_type": "Made-up picture format", "probability": 19.5},
    ]


def _bundle(draw: Draw, size: int, analysed: int) -> Json:
    made = analysed - draw.randint(100, 2000) * _DAY
    bundle = {
        "type": "ZIP",
        "extensions": {"xml": draw.randint(1, 90), "png": draw.randint(1, 90), "dex": 1},
        "file_types": {"XML": draw.randint(1, 90), "PNG": draw.randint(1, 90), "Java Bytecode": 4},
        "highest_datetime": written(made),
        "lowest_datetime": written(made - 400 * _DAY),
        "num_children": draw.randint(10, 200),
        "uncompressed_size": 3 * size,
    }
    exif = {
        "FileType": "ZIP",
        "FileTypeExtension": "zip",
        "MIMEType": "application/zip",
        "ZipBitFlag": "0x0808",
        "ZipCRC": f"0x{draw.hex(8)}",
        "ZipCompressedSize": str(draw.randint(100, 9000)),
        "ZipCompression": "Deflated",
        "ZipFileName": f"{draw.word()}/{draw.word()}.xml",
        "ZipModifyDate": written(made).replace("-", ":"),
        "ZipRequiredVersion": "20",
        "ZipUncompressedSize": str(draw.randint(9000, 90_000)),
    }
    return {"bundle_info": bundle, "exiftool": exif}


def _history(draw: Draw, analysed: int) -> Json:
    first = analysed - draw.randint(0, 400) * _DAY - 3600
    return {
        "first_submission_date": first,
        "last_submission_date": analysed,
        "first_seen_itw_date": first - 600,
        "times_submitted": draw.randint(1, 60),
        "unique_sources": draw.randint(1, 9),
    }


def _analysis(version: EntityVersion) -> Json:
    draw = version.analysis_draw()
    detections = engines.draw_detections(draw)
    updated = datetime.fromtimestamp(version.analysed, UTC).strftime("%Y%m%d")
    findings: Json = {"num_gav_detections": detections} if detections else {}
    analysis: Json = {
        **assessment.analysis(version, draw, detections, engines.file_verdicts(draw, detections, updated)),
        "threat_severity": assessment.threat_severity(5, version.analysed, findings),
        "gti_assessment": assessment.gti_assessment(draw, detections, {"gavs_detections": detections}),
    }
    return analysis | (_classification(draw, detections) if detections else {})


def _classification(draw: Draw, detections: int) -> Json:
    family = draw.word()
    return {
        "popular_threat_classification": {
            "suggested_threat_label": f"trojan.{family}/{draw.word()}",
            "popular_threat_category": [{"count": detections, "value": "trojan"}],
            "popular_threat_name": [{"count": detections, "value": family}, {"count": 1, "value": draw.word()}],
        }
    }


def _relationships(entity: Entity, name: str) -> Json:
    base = f"{API}/files/{name}"
    draw = entity.draw("relationships")

    def domain() -> Json:
        return relationships.domain_neighbour(draw.domain())

    def address() -> Json:
        return relationships.address_neighbour(draw.ipv4())

    contacted = [entity.in_feed("domains")] if contacts(entity) else []
    domains = [relationships.domain_neighbour(names.domain_name(one)) for one in contacted]
    servers = [relationships.address_neighbour(names.address(server_of(one))) for one in contacted]
    embedded = relationships.some(draw, 0.3, 4, lambda: relationships.url_neighbour(draw.url(draw.domain())))
    neighbours = {
        "itw_urls": [],
        "associations": [],
        "embedded_ips": [],
        "embedded_domains": relationships.some(draw, 0.4, 18, domain),
        "contacted_urls": [],
        "embedded_urls": embedded,
        "contacted_domains": domains + relationships.some(draw, 0.2, 2, domain),
        "contacted_ips": servers + relationships.some(draw, 0.2, 7, address),
    }
    return {key: relationships.related(base, key, found, draw) for key, found in neighbours.items()}
