"""The opaque, signed paths that the API redirects to; a token describes its download."""

import secrets

from itsdangerous import BadData, URLSafeSerializer
from pydantic import BaseModel, ConfigDict, ValidationError

from infra.local.virustotal.faults import Rule


class DownloadToken(BaseModel):
    """One fetch: its minute, and the body faults that fired for it when the API answered.

    The faults are part of the token so that every request and range gets the same bytes.
    """

    model_config = ConfigDict(frozen=True)

    feed: str
    minute: str
    rules: tuple[Rule, ...] = ()


class DownloadTokens:
    """Writes and reads tokens; tokens of another process are invalid."""

    def __init__(self) -> None:
        self._serializer = URLSafeSerializer(secrets.token_bytes(32))

    def write(self, token: DownloadToken) -> str:
        """Return a token as a path segment."""
        return str(self._serializer.dumps(token.model_dump(mode="json", exclude_defaults=True)))

    def read(self, written: str) -> DownloadToken | None:
        """Return the token, or None if its signature is wrong."""
        try:
            return DownloadToken.model_validate(self._serializer.loads(written))
        except (BadData, ValidationError):
            return None
