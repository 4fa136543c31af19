"""The simulated threat lists without a network, read by the client's error rules."""

import json
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from infra.local.virustotal.simulator import DEFAULT_KEY
from infra.local.web import Request
from shared.virustotal.api_answer import ApiAnswer
from shared.virustotal.errors import raise_for_api_answer
from tests.support.virustotal import SimulatorHarness

# At the simulator's time, 15:30, the newest hour that is served with a lag of two hours.
HOUR = datetime(2026, 11, 21, 13, tzinfo=UTC)


class SimulatedLists:
    """An ApiReader on the simulator, and what was requested of it."""

    def __init__(self) -> None:
        self.simulator = SimulatorHarness()
        self.requested: list[str] = []
        self.bodies: list[bytes] = []

    def change(self, **settings: Any) -> None:
        """Set the lists' settings."""
        assert self.simulator.control("PUT", "threat_lists/settings", settings).status == 200

    def fault(self, **rule: Any) -> None:
        """Add a fault."""
        assert self.simulator.control("POST", "threat_lists/faults", [rule]).status == 200

    def at(self, now: datetime) -> None:
        """Set the simulator's clock."""
        assert self.simulator.control("PUT", "clock", {"fixed": now.isoformat()}).status == 200

    def ids(self, name: str, hour: datetime = HOUR) -> set[str]:
        """Return `<list>/<type>/<id>` of a list in an hour, whatever the limit."""
        found = json.loads(self.simulator.control("GET", f"threat_lists/ids/{name}/{hour:%Y%m%d%H}").body)
        return {f"{name}/{one}" for one in found}

    def answer(self, path: str, what: str) -> ApiAnswer:
        """Return the response to a GET, or raise its error."""
        self.requested.append(path)
        address = urlsplit(f"/api/v3{path}")
        request = Request("GET", address.path, dict(parse_qsl(address.query)), {"x-apikey": DEFAULT_KEY})
        answer = self.simulator.api(request)
        response = requests.Response()
        response.status_code, response.raw = answer.status, BytesIO(answer.body)
        response.headers.update(answer.headers)
        raise_for_api_answer(response, what)
        self.bodies.append(answer.body)
        return ApiAnswer(answer.body)
