"""Lines of the file feed."""

from datetime import UTC, datetime

from infra.local.virustotal.content import assessment, engines, relationships
from infra.local.virustotal.content.draw import Draw, written
from infra.local.virustotal.content.sighting import API, Json, Sighting, line_object
from infra.local.virustotal.content.submitter import download_link, submitter

_DAY = 86_400


def write(sighting: Sighting) -> Json:
    """Return one object of the file feed."""
    entity = sighting.entity_draw()
    name = entity.hex(64)
    size = entity.randint(1_000, 40_000_000)
    attributes = (
        _identity(entity, name, size)
        | _bundle(entity, size, sighting.analysed)
        | _history(entity, sighting.analysed)
        | _analysis(sighting)
    )
    link = download_link(entity, "files", name, sighting, "download")
    context = {"context_attributes": {"submitter": submitter(entity), "download_url": link}}
    return line_object("file", "files", name, attributes, _relationships(entity, name)) | context


def _identity(draw: Draw, name: str, size: int) -> Json:
    called = f"{draw.word()}/{draw.word()}.zip"
    return {
        "sha256": name,
        "sha1": draw.hex(40),
        "md5": draw.hex(32),
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


def _analysis(sighting: Sighting) -> Json:
    draw = sighting.analysis_draw()
    detections = engines.draw_detections(draw)
    updated = datetime.fromtimestamp(sighting.analysed, UTC).strftime("%Y%m%d")
    results, stats = engines.file_verdicts(draw, detections, updated)
    findings: Json = {"num_gav_detections": detections} if detections else {}
    analysis: Json = {
        "last_analysis_date": sighting.analysed,
        "last_modification_date": sighting.modified,
        "last_analysis_results": results,
        "last_analysis_stats": stats,
        "reputation": -detections,
        "total_votes": assessment.votes(draw),
        "threat_severity": assessment.threat_severity(5, sighting.analysed, findings),
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


def _relationships(draw: Draw, name: str) -> Json:
    base = f"{API}/files/{name}"

    def domain() -> Json:
        return {"type": "domain", "id": draw.domain()}

    def url() -> Json:
        return relationships.url_neighbour(draw, draw.domain())

    neighbours = {
        "itw_urls": [],
        "associations": [],
        "embedded_ips": [],
        "embedded_domains": relationships.some(draw, 0.4, 18, domain),
        "contacted_urls": [],
        "embedded_urls": relationships.some(draw, 0.3, 4, url),
        "contacted_domains": relationships.some(draw, 0.2, 2, domain),
        "contacted_ips": relationships.some(draw, 0.2, 7, lambda: {"type": "ip_address", "id": draw.ipv4()}),
    }
    return {key: relationships.related(base, key, found, draw) for key, found in neighbours.items()}
