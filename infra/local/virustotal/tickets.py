"""The opaque, signed paths that the API redirects to; a ticket carries what its download will hold."""

import base64
import binascii
import hashlib
import hmac
import secrets

from pydantic import BaseModel, ConfigDict

from infra.local.virustotal.faults import Rule


class Ticket(BaseModel):
    """One fetch: its minute, and the body faults that fired for it when the API answered.

    The faults travel with the ticket so that every request for it, and every range, gets the same bytes.
    """

    model_config = ConfigDict(frozen=True)

    feed: str
    minute: str
    rules: tuple[Rule, ...] = ()


class Tickets:
    """Writes and reads tickets; those of another process are worth nothing."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def write(self, ticket: Ticket) -> str:
        """Return a ticket as a piece of a path."""
        content = base64.urlsafe_b64encode(ticket.model_dump_json(exclude_defaults=True).encode()).decode()
        return f"{content}.{self._sign(content)}"

    def read(self, written: str) -> Ticket | None:
        """Return the ticket, or None when its signature does not fit."""
        content, _, signature = written.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(content).encode()):
            return None
        try:
            return Ticket.model_validate_json(base64.urlsafe_b64decode(content))
        except (binascii.Error, ValueError):
            return None

    def _sign(self, content: str) -> str:
        return hmac.new(self._secret, content.encode(), hashlib.sha256).hexdigest()
