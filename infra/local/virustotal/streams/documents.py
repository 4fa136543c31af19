"""Made-up documents of DTM alerts, in the shapes of public integrations with the service."""

from collections.abc import Callable

from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.entity_version import Json

# The type of a document, with the type of its alerts.
ALERT_TYPES = {
    "message": "Message",
    "forum_post": "Forum Post",
    "paste": "Paste",
    "domain_discovery": "Domain Discovery",
    "account_discovery": "Compromised Credentials",
}


def document(kind: str, draw: Draw, truncate: int | None) -> Json:
    """Return a document; truncate cuts its text, as the API does."""
    return {"__type": kind, "source": draw.word(), "body": draw.words(80)[:truncate], **_PARTS[kind](draw)}


def _message(draw: Draw) -> Json:
    channel = {"channel_url": draw.url(draw.domain()), "name": draw.word(), "messenger": {"name": draw.word()}}
    return {"channel": channel, "sender": _author(draw)}


def _forum_post(draw: Draw) -> Json:
    return {"source_url": draw.url(draw.domain()), "author": _author(draw)}


def _paste(draw: Draw) -> Json:
    return {"paste_id": draw.hex(8), "source_location": {"url": draw.url(draw.domain())}, "author": _author(draw)}


def _domain(draw: Draw) -> Json:
    return {"domain": draw.domain(), "domain_whois": {"registrar": {"identity": {"name": draw.company()}}}}


def _account(draw: Draw) -> Json:
    domain, service = draw.domain(), draw.domain()
    email = f"{draw.word()}@{domain}"
    account = {
        "login": email,
        "password": {"plain_text": draw.hex(12)},
        "profile": {"contact": {"email": email, "email_domain": domain}},
        "service": {"name": service, "inet_location": {"domain": service, "url": f"https://{service}/"}},
    }
    leak = {"filename": f"{draw.word()}.zip", "hashes": {"sha256": draw.hex(64)}}
    return {"service_account": account, "source_file": leak, "source_url": draw.url(draw.domain())}


def _author(draw: Draw) -> Json:
    return {"identity": {"name": draw.word()}}


_PARTS: dict[str, Callable[[Draw], Json]] = {
    "message": _message,
    "forum_post": _forum_post,
    "paste": _paste,
    "domain_discovery": _domain,
    "account_discovery": _account,
}
