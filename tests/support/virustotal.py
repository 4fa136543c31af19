"""The VirusTotal simulator without a network: both of its ports, called as functions."""

import json
from datetime import UTC, datetime

from infra.local.virustotal.__main__ import responders
from infra.local.virustotal.simulator import DEFAULT_KEY, Settings
from infra.local.web import Answer, Request

NOW = datetime(2026, 11, 21, 15, 30, 20, tzinfo=UTC)
MINUTE = "202611211410"
DOWNLOADS = "http://127.0.0.1:7777"
KEY = {"x-apikey": DEFAULT_KEY}


class SimulatorHarness:
    """Both ports of one simulator, with its clock stopped."""

    def __init__(self) -> None:
        self.api, self.download = responders(Settings(lines=2, download_url=DOWNLOADS))
        self.control("PUT", "clock", {"fixed": NOW.isoformat()})

    def control(self, method: str, path: str, body: object = None) -> Answer:
        """Call the control endpoint."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        path, _, query = path.partition("?")
        named = dict([query.split("=")]) if query else {}
        return self.api(Request(method, f"/control/{path}", query=named, body=raw))

    def ask(self, feed: str = "domains", package: str = MINUTE, headers: dict[str, str] = KEY) -> Answer:
        """Request a package from the feeds API."""
        return self.api(Request("GET", f"/api/v3/feeds/{feed}/{package}", headers=headers))

    def follow(self, answer: Answer, headers: dict[str, str] | None = None) -> Answer:
        """Request the address that a redirect names from the download port."""
        target = answer.headers["Location"].removeprefix(DOWNLOADS)
        return self.download(Request("GET", target.partition("?")[0], headers=headers or {}, target=target))

    def faults(self, *rules: dict[str, object]) -> None:
        """Set these faults."""
        assert self.control("PUT", "faults", rules).status == 200

    def stats(self) -> dict[str, object]:
        """Return the statistics."""
        seen: dict[str, object] = json.loads(self.control("GET", "stats").body)
        return seen


def code(answer: Answer) -> tuple[int, str]:
    """Return status and code of an error."""
    return answer.status, json.loads(answer.body)["error"]["code"]
