"""Registration data of address ranges, from a made-up registry."""

from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.entity_version import Json

_REGISTRY = "https://rdap.registry.example"
_NOTICE = "Simulated registry: nothing in this answer describes a real network, company or person."


def registration(draw: Draw, address: str, owner: str, network: tuple[str, str, int]) -> Json:
    """Return the rdap block of an address; network is first address, last address and prefix length."""
    first, last, length = network
    handle = f"NET-{draw.hex(8).upper()}"
    value = f"{_REGISTRY}/ip/{address}"
    old = ":" not in address
    prefix = {"v4prefix": first if old else "", "v6prefix": "" if old else first, "length": length}
    return {
        "object_class_name": "ip network",
        "handle": handle,
        "start_address": first,
        "end_address": last,
        "ip_version": "v4" if old else "v6",
        "name": owner.split(maxsplit=1)[0].upper(),
        "type": "DIRECT ALLOCATION",
        "parent_handle": f"NET-{draw.hex(8).upper()}",
        "status": ["active"],
        "links": [_link(rel, f"{_REGISTRY}/registry/ip/{first}", value) for rel in ("self", "alternate", "up")],
        "notices": [_notice(title, value) for title in ("Simulated terms", "Simulated mistakes", "Simulated filter")],
        "events": [_event(action, draw) for action in ("last changed", "registration")],
        "rdap_conformance": ["rdap_level_0", "cidr0", "simulated_profile_0"],
        "entities": [_entity(draw, value, ["registrant"], inner=True), _entity(draw, value, ["abuse"])],
        "port43": "whois.registry.example",
        "cidr0_cidrs": [prefix],
        "arin_originas0_originautnums": [draw.randint(64_512, 65_534)],
        "country": "",
        "remarks": [],
    }


def _link(rel: str, href: str, value: str) -> Json:
    kind = "application/rdap+json"
    return {
        "href": href,
        "rel": rel,
        "type": kind,
        "value": value,
        "title": "",
        "media": "",
        "href_lang": [],
    }


def _notice(title: str, value: str) -> Json:
    links = [_link("about", f"{_REGISTRY}/terms", value)]
    return {"title": title, "description": [_NOTICE], "links": links, "type": ""}


def _event(action: str, draw: Draw) -> Json:
    date = f"20{draw.randint(10, 24)}-0{draw.randint(1, 9)}-{draw.randint(10, 28)}T09:00:00Z"
    return {"event_action": action, "event_date": date, "event_actor": "", "links": []}


def _entity(draw: Draw, value: str, roles: list[str], *, inner: bool = False) -> Json:
    handle = draw.hex(6).upper()
    return {
        "object_class_name": "entity",
        "handle": handle,
        "vcard_array": _card(draw),
        "roles": roles,
        "entities": [_entity(draw, value, ["technical"]), _entity(draw, value, ["noc"])] if inner else [],
        "remarks": [{"title": "Remark", "description": [_NOTICE], "links": [], "type": ""}] if inner else [],
        "links": [_link("self", f"{_REGISTRY}/entity/{handle}", value)],
        "events": [_event("last changed", draw)],
        "port43": "whois.registry.example",
        **{key: [] for key in ("public_ids", "as_event_actor", "status", "networks", "autnums")},
        "url": "",
        "lang": "",
        "rdap_conformance": [],
    }


def _card(draw: Draw) -> list[Json]:
    street = f"{draw.randint(1, 99)} {draw.word().capitalize()} Street"
    return [
        {"name": "version", "type": "text", "values": ["4.0"], "parameters": {}},
        {"name": "fn", "type": "text", "values": [draw.company()], "parameters": {}},
        {"name": "adr", "type": "text", "values": ["", "", ""], "parameters": {"label": [street]}},
        {"name": "tel", "type": "text", "values": ["+1-555-0100"], "parameters": {"type": ["work"]}},
    ]
