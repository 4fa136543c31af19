"""Lines of the IP address feed."""

from ipaddress import ip_network

from infra.local.virustotal.content import assessment, certificates, engines, names, relationships
from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.entity import Entity, domains_of, is_bad, server_of
from infra.local.virustotal.content.entity_version import API, EntityVersion, Json, line_object
from infra.local.virustotal.content.rdap import registration

_DAY = 86_400
# Numbers that RFC 6996 keeps for private use. Few, so that a network has many addresses.
_NETWORKS = range(64_512, 64_552)


def write(version: EntityVersion) -> Json:
    """Return one object of the IP address feed."""
    address = names.address(version.entity)
    attributes = _identity(version.entity_draw(), address, version.analysed) | _analysis(version)
    return line_object("ip_address", "ip_addresses", address, attributes, _relationships(version.entity, address))


def _identity(draw: Draw, address: str, analysed: int) -> Json:
    length = 48 if ":" in address else 16
    network = ip_network(f"{address}/{length}", strict=False)
    number = draw.choice(_NETWORKS)
    operator = Draw(f"network {number}")
    owner = operator.company()
    continent, country = operator.choice((("EU", "DE"), ("NA", "US"), ("AS", "SG")))
    bounds = (str(network[0]), str(network[-1]), length)
    identity: Json = {
        "network": str(network),
        "as_owner": owner,
        "asn": number,
        "continent": continent,
        "country": country,
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


def _analysis(version: EntityVersion) -> Json:
    draw = version.analysis_draw()
    is_server = server_of(version.entity) == version.entity
    detections = engines.draw_detections(draw, bad=is_server and is_bad(version.entity))
    findings: Json = {"num_detections": detections} if detections else {}
    return {
        **assessment.analysis(version, draw, detections, engines.web_verdicts(draw, detections)),
        "threat_severity": assessment.threat_severity("I3", version.analysed, findings),
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


def _relationships(entity: Entity, address: str) -> Json:
    base = f"{API}/ip_addresses/{address}"
    draw = entity.draw("relationships")
    served = domains_of(entity)

    def file() -> Json:
        return relationships.file_neighbour(draw.hex(64))

    known = [relationships.resolution(address, names.domain_name(domain)) for domain in served]
    urls = [relationships.url_neighbour(names.url(domain.in_feed("urls"))) for domain in served]
    neighbours = {
        "referrer_files": [],
        "resolutions": known
        + relationships.some(draw, 0.4, 14, lambda: relationships.resolution(address, draw.domain())),
        "associations": relationships.some(draw, 0.2, 1, lambda: {"type": "collection", "id": draw.hex(64)}),
        "communicating_files": relationships.some(draw, 0.3, 20, file),
        "urls": urls + relationships.some(draw, 0.4, 5, lambda: relationships.url_neighbour(draw.url(address))),
        "downloaded_files": relationships.some(draw, 0.2, 1, file),
    }
    return {key: relationships.related(base, key, found, draw) for key, found in neighbours.items()}
