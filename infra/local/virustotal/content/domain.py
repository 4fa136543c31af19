"""Lines of the domain feed."""

from infra.local.virustotal.content import assessment, certificates, engines, names, relationships
from infra.local.virustotal.content.draw import Draw, domain_of, written
from infra.local.virustotal.content.entity import Entity, contacts, domains_of, is_bad, server_of
from infra.local.virustotal.content.entity_version import API, EntityVersion, Json, line_object

_DAY = 86_400
_REGISTRARS = tuple(Draw(f"registrar {number}").company() for number in range(20))
_SHARED_CERTIFICATES = 0.7


def write(version: EntityVersion) -> Json:
    """Return one object of the domain feed."""
    name = names.domain_name(version.entity)
    attributes = _identity(version, name) | _analysis(version)
    return line_object("domain", "domains", name, attributes, _relationships(version, name))


def _identity(version: EntityVersion, name: str) -> Json:
    draw, entity, analysed = version.entity_draw(), version.entity, version.analysed
    created = _created(draw, entity)
    registrar = draw.choice(_REGISTRARS)
    return {
        "tld": name.rsplit(".", 1)[-1],
        "registrar": registrar,
        "whois": _whois(draw, domain_of(name), registrar, created),
        "creation_date": created,
        "expiration_date": created + 4400 * _DAY,
        "last_update_date": created + 20 * _DAY,
        "categories": {"alphaHarbor.ai": draw.choice(("Business", "Suspicious", "News, Media"))},
        "popularity_ranks": _ranks(draw, analysed),
        "tags": draw.sample(("hex", "dga", "parked", "nxdomain"), draw.randint(0, 2)),
        "jarm": certificates.jarm(draw),
        "last_dns_records": _dns_records(draw, name, names.address(server_of(entity))),
        "last_dns_records_date": analysed + 1,
        "last_https_certificate": _certificate(draw, entity),
        "last_https_certificate_date": analysed + 1,
    }


def _created(draw: Draw, entity: Entity) -> int:
    """Return the day of registration: many malicious domains are a few days old."""
    young = draw.chance(0.6 if is_bad(entity) else 0.04)
    return (entity.born // _DAY - (draw.randint(2, 25) if young else draw.randint(30, 4000))) * _DAY


def _certificate(draw: Draw, entity: Entity) -> Json:
    """Return the server's certificate, for all its domains, or a separate one for the domain."""
    day, server = entity.born // _DAY * _DAY, server_of(entity)
    if draw.chance(_SHARED_CERTIFICATES):
        hosts = [names.domain_name(domain) for domain in domains_of(server)]
        return certificates.domain_certificate(server.draw("certificate"), hosts, day)
    return certificates.domain_certificate(draw, [names.domain_name(entity)], day)


def _analysis(version: EntityVersion) -> Json:
    draw = version.analysis_draw()
    detections = engines.draw_detections(draw, bad=is_bad(version.entity))
    return {
        **assessment.analysis(version, draw, detections, engines.web_verdicts(draw, detections)),
        "gti_assessment": assessment.gti_assessment(draw, detections, assessment.web_factors(detections)),
    }


def _whois(draw: Draw, domain: str, registrar: str, created: int) -> str:
    masked = "Withheld by the simulated registry"
    fields = {
        "Domain name": domain,
        "Domain registrar": registrar,
        "Domain registrar url": f"http://www.{draw.domain()}",
        "Create date": written(created),
        "Expiry date": written(created + 4400 * _DAY),
        "Update date": written(created + 20 * _DAY),
        **{f"Name server {number}": f"ns{number}.{draw.domain()}" for number in (1, 2, 3, 4)},
        **{
            f"{party} {detail}": masked
            for party in ("Registrant", "Administrative", "Technical", "Billing")
            for detail in ("name", "company", "street", "city", "country", "email", "phone")
        },
    }
    return "\n".join(f"{field}: {value}" for field, value in fields.items())


def _ranks(draw: Draw, analysed: int) -> Json:
    if draw.chance(0.7):
        return {}
    return {"Made-up Million": {"rank": draw.randint(1, 1_000_000), "timestamp": analysed // _DAY * _DAY}}


def _dns_records(draw: Draw, name: str, address: str) -> list[Json]:
    ttl = draw.choice((60, 300, 3600))
    server = f"ns1.{domain_of(name)}"
    old, new = (draw.ipv4(), address) if ":" in address else (address, draw.ipv6())
    return [
        {"type": "A", "ttl": ttl, "value": old},
        {"type": "AAAA", "ttl": ttl, "value": new},
        {"type": "NS", "ttl": 86_400, "value": server},
        {
            "type": "SOA",
            "ttl": 1800,
            "value": server,
            "rname": f"hostmaster.{server}",
            "serial": draw.randint(1, 10**9),
            "refresh": 10_000,
            "retry": 2400,
            "expire": 604_800,
            "minimum": 1800,
        },
    ]


def _relationships(version: EntityVersion, name: str) -> Json:
    base = f"{API}/domains/{name}"
    parent = domain_of(name)
    entity = version.entity
    draw = entity.draw("relationships")

    def sibling() -> Json:
        return relationships.domain_neighbour(f"{draw.word()}.{parent}")

    def subdomain() -> Json:
        seen = {"timestamp": draw.randint(1_600_000_000, 1_700_000_000)}
        return relationships.domain_neighbour(f"{draw.word()}.{name}") | {"context_attributes": seen}

    siblings = [sibling() for _ in range(20)]
    url = relationships.url_neighbour(names.url(entity.in_feed("urls")))
    known = [relationships.resolution(names.address(server_of(entity)), name)]
    files = [relationships.file_neighbour(names.hashes(entity.in_feed("files")).sha256)] if contacts(entity) else []
    neighbours = {
        "urls": [url, *relationships.some(draw, 0.3, 19, lambda: relationships.url_neighbour(draw.url(name)))],
        "subdomains": relationships.some(draw, 0.3, 5, subdomain),
        "resolutions": known + relationships.some(draw, 0.9, 11, lambda: relationships.resolution(draw.ipv4(), name)),
        "associations": [],
        "communicating_files": files,
        "siblings": siblings if draw.chance(0.8) else siblings[:7],
        "downloaded_files": [],
        "referrer_files": relationships.some(draw, 0.3, 3, lambda: relationships.file_neighbour(draw.hex(64))),
    }
    return {key: relationships.related(base, key, found, draw) for key, found in neighbours.items()}
