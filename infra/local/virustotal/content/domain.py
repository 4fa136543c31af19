"""Lines of the domain feed."""

from infra.local.virustotal.content import assessment, certificates, engines, relationships
from infra.local.virustotal.content.draw import Draw, domain_of, written
from infra.local.virustotal.content.sighting import API, Json, Sighting, line_object

_DAY = 86_400


def write(sighting: Sighting) -> Json:
    """Return one object of the domain feed."""
    entity = sighting.entity_draw()
    name = entity.domain()
    if entity.chance(0.5):
        name = f"{entity.word()}.{name}"
    attributes = _identity(entity, name, sighting.analysed) | _analysis(sighting)
    return line_object("domain", "domains", name, attributes, _relationships(entity, name))


def _identity(draw: Draw, name: str, analysed: int) -> Json:
    created = (analysed // _DAY - draw.randint(30, 4000)) * _DAY
    registrar = draw.company()
    address = draw.ipv4()
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
        "last_dns_records": _dns_records(draw, name, address),
        "last_dns_records_date": analysed + 1,
        "last_https_certificate": certificates.domain_certificate(draw, name, analysed // _DAY * _DAY),
        "last_https_certificate_date": analysed + 1,
    }


def _analysis(sighting: Sighting) -> Json:
    draw = sighting.analysis_draw()
    detections = engines.draw_detections(draw)
    results, stats = engines.web_verdicts(draw, detections)
    return {
        "last_analysis_date": sighting.analysed,
        "last_modification_date": sighting.modified,
        "last_analysis_results": results,
        "last_analysis_stats": stats,
        "reputation": -detections,
        "total_votes": assessment.votes(draw),
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
    return [
        {"type": "A", "ttl": ttl, "value": address},
        {"type": "AAAA", "ttl": ttl, "value": draw.ipv6()},
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


def _relationships(draw: Draw, name: str) -> Json:
    base = f"{API}/domains/{name}"
    parent = domain_of(name)

    def resolution() -> Json:
        return {"type": "resolution", "id": f"{draw.ipv4()}{name}"}

    def sibling() -> Json:
        return {"type": "domain", "id": f"{draw.word()}.{parent}"}

    def subdomain() -> Json:
        seen = {"timestamp": draw.randint(1_600_000_000, 1_700_000_000)}
        return {"type": "domain", "id": f"{draw.word()}.{name}", "context_attributes": seen}

    siblings = [sibling() for _ in range(20)]
    neighbours = {
        "urls": relationships.some(draw, 0.3, 20, lambda: relationships.url_neighbour(draw, name)),
        "subdomains": relationships.some(draw, 0.3, 5, subdomain),
        "resolutions": relationships.some(draw, 0.9, 12, resolution),
        "associations": [],
        "communicating_files": relationships.some(draw, 0.2, 3, lambda: relationships.file_neighbour(draw)),
        "siblings": siblings if draw.chance(0.8) else siblings[:7],
        "downloaded_files": [],
        "referrer_files": relationships.some(draw, 0.3, 3, lambda: relationships.file_neighbour(draw)),
    }
    return {key: relationships.related(base, key, found, draw) for key, found in neighbours.items()}
