"""Lines of the IP address feed."""

from ipaddress import ip_network

from infra.local.virustotal.content import assessment, certificates, engines, relationships
from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.rdap import registration
from infra.local.virustotal.content.sighting import API, Json, Sighting, line_object

_DAY = 86_400
_IPV6_SHARE = 0.2


def write(sighting: Sighting) -> Json:
    """Return one object of the IP address feed."""
    entity = sighting.entity_draw()
    address = entity.ipv6() if entity.chance(_IPV6_SHARE) else entity.ipv4()
    attributes = _identity(entity, address, sighting.analysed) | _analysis(sighting)
    return line_object("ip_address", "ip_addresses", address, attributes, _relationships(entity, address))


def _identity(draw: Draw, address: str, analysed: int) -> Json:
    length = 48 if ":" in address else 16
    network = ip_network(f"{address}/{length}", strict=False)
    owner = draw.company()
    bounds = (str(network[0]), str(network[-1]), length)
    identity: Json = {
        "network": str(network),
        "as_owner": owner,
        "asn": draw.randint(64_512, 65_534),
        "continent": draw.choice(("EU", "NA", "AS")),
        "country": draw.choice(("DE", "US", "SG")),
        "regional_internet_registry": "RIPE NCC" if ":" in address else "ARIN",
        "rdap": registration(draw, address, owner, bounds),
        "whois": _whois(draw, owner, bounds),
        "whois_date": analysed - draw.randint(1, 90) * _DAY,
        "tags": draw.sample(("self-signed", "suspicious-udp"), draw.randint(0, 1)),
        "jarm": certificates.jarm(draw),
        "last_https_certificate": certificates.self_signed_certificate(draw, analysed // _DAY * _DAY),
        "last_https_certificate_date": analysed + 1,
    }
    return identity | (_seen_in_the_wild(draw, analysed) if draw.chance(0.2) else {})


def _seen_in_the_wild(draw: Draw, analysed: int) -> Json:
    return {
        "mandiant_ic_score": draw.randint(1, 100),
        "first_seen_itw_date": analysed - draw.randint(100, 900) * _DAY,
        "last_seen_itw_date": analysed - draw.randint(1, 99) * _DAY,
    }


def _analysis(sighting: Sighting) -> Json:
    draw = sighting.analysis_draw()
    detections = engines.draw_detections(draw)
    results, stats = engines.web_verdicts(draw, detections)
    findings: Json = {"num_detections": detections} if detections else {}
    return {
        "last_analysis_date": sighting.analysed,
        "last_modification_date": sighting.modified,
        "last_analysis_results": results,
        "last_analysis_stats": stats,
        "reputation": -detections,
        "total_votes": assessment.votes(draw),
        "threat_severity": assessment.threat_severity("I3", sighting.analysed, findings),
        "gti_assessment": assessment.gti_assessment(draw, detections, assessment.web_factors(detections)),
    }


def _whois(draw: Draw, owner: str, bounds: tuple[str, str, int]) -> str:
    first, last, length = bounds
    fields = [("NetRange", f"{first} - {last}"), ("CIDR", f"{first}/{length}"), ("Organization", owner)]
    for role in ("Org", "OrgTech", "OrgAbuse", "OrgNOC"):
        mail = f"{draw.word()}@{draw.domain()}"
        fields += [(f"{role}Handle", draw.hex(6).upper()), (f"{role}Name", draw.company())]
        fields += [(f"{role}Email", mail), (f"{role}Phone", "+1-555-0100")]
    return "\n".join(f"{field}: {value}" for field, value in fields)


def _relationships(draw: Draw, address: str) -> Json:
    base = f"{API}/ip_addresses/{address}"

    def resolution() -> Json:
        return {"type": "resolution", "id": f"{address}{draw.domain()}"}

    def url() -> Json:
        return relationships.url_neighbour(draw, address)

    def file() -> Json:
        return relationships.file_neighbour(draw)

    neighbours = {
        "referrer_files": [],
        "resolutions": relationships.some(draw, 0.4, 19, resolution),
        "associations": relationships.some(draw, 0.2, 1, lambda: {"type": "collection", "id": draw.hex(64)}),
        "communicating_files": relationships.some(draw, 0.3, 20, file),
        "urls": relationships.some(draw, 0.4, 5, url),
        "downloaded_files": relationships.some(draw, 0.2, 1, file),
    }
    return {key: relationships.related(base, key, found, draw) for key, found in neighbours.items()}
