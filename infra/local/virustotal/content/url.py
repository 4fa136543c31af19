"""Lines of the URL feed."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from infra.local.virustotal.content import assessment, engines, names, relationships
from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.entity import is_bad, server_of
from infra.local.virustotal.content.entity_version import API, EntityVersion, Json, line_object
from infra.local.virustotal.content.submitter import submitter

_DAY = 86_400


def write(version: EntityVersion) -> Json:
    """Return one object of the URL feed."""
    draw = version.entity_draw()
    address = names.url(version.entity)
    name = names.url_id(address)
    attributes = _identity(draw, address) | _response(draw, version.analysed) | _analysis(version)
    base = f"{API}/urls/{name}"
    server = relationships.address_neighbour(names.address(server_of(version.entity)))
    neighbours: Json = {
        "last_serving_ip_address": relationships.one_related(base, "last_serving_ip_address", server),
        "associations": relationships.related(base, "associations", [], draw),
    }
    context = {"context_attributes": {"submitter": submitter(draw)}}
    return line_object("url", "urls", name, attributes, neighbours) | context


def _identity(draw: Draw, address: str) -> Json:
    host = urlsplit(address).netloc
    return {
        "url": address,
        "last_final_url": address,
        "redirection_chain": [address],
        "outgoing_links": [draw.url(draw.domain()) for _ in range(draw.randint(0, 12))],
        "tld": host.rsplit(".", 1)[-1],
        "title": f"{draw.words(3)} \u00b7 {draw.word()}",
        "categories": {
            "alphaHarbor.ai": "Information, Suspicious (alphaHarbor.ai)",
            "Copper Gate (SENTRYLIST)": "made-up deception",
        },
        "tags": draw.sample(("external-resources", "iframes", "dom-modification"), draw.randint(0, 2)),
        "threat_names": [f"Sim/{draw.word().capitalize()}-A"] if draw.chance(0.2) else [],
        "has_content": False,
        "favicon": {"raw_md5": draw.hex(32), "dhash": draw.hex(16)},
        "html_meta": {
            "viewport": ["width=device-width, initial-scale=1"],
            "description": [draw.words(40)],
            "keywords": [draw.words(12)],
            "og:title": [draw.words(3)],
            "og:type": ["website"],
            "format-detection": ["telephone=no"],
            "twitter:image": [draw.url(host)],
        },
    }


def _response(draw: Draw, analysed: int) -> Json:
    answered = datetime.fromtimestamp(analysed, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    return {
        "last_http_response_code": draw.choice((200, 200, 200, 404)),
        "last_http_response_content_length": draw.randint(500, 90_000),
        "last_http_response_content_sha256": draw.hex(64),
        "last_http_response_cookies": {"parking_session": draw.hex(32)},
        "last_http_response_headers": {
            "Date": answered,
            "Content-Type": "text/html; charset=utf-8",
            "Transfer-Encoding": "chunked",
            "Connection": "keep-alive",
            "Server": f"simulated/{draw.randint(1, 9)}.{draw.randint(0, 20)}",
            "Vary": "Accept-Language, Cookie",
        },
        "first_submission_date": analysed - draw.randint(1, 900) * _DAY,
        "times_submitted": draw.randint(1, 900),
    }


def _analysis(version: EntityVersion) -> Json:
    draw = version.analysis_draw()
    detections = engines.draw_detections(draw, bad=is_bad(version.entity))
    findings: Json = {"num_detections": detections} if detections else {}
    return {
        **assessment.analysis(version, draw, detections, engines.web_verdicts(draw, detections)),
        "last_submission_date": version.analysed,
        "threat_severity": assessment.threat_severity("U3", version.analysed, findings),
        "gti_assessment": assessment.gti_assessment(draw, detections, assessment.web_factors(detections)),
    }
