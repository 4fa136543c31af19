"""The download port: gives the body for a ticket, in ranges too, and must never see an API key."""

import re

from infra.local.virustotal import faults
from infra.local.virustotal.simulator import Simulator
from infra.local.virustotal.tickets import Ticket
from infra.local.web import Answer, Request, Route, Wire, route

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


class Downloads:
    """Answers for the bodies of packages."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        """Return the routes of the download port."""
        return [
            route("GET", r"/packages/(?P<written>[^/]+)", self.other_host),
            route("GET", r"/loop/(?P<written>[^/]+)", self.loop),
        ]

    def other_host(self, request: Request, written: str) -> Answer:
        """Answer on the download port: a request with an API key is noted and refused."""
        self._simulator.stats.remember("download", request.headers)
        if "x-apikey" in request.headers:
            return _plain(400, "an API key has no business here")
        return self.same_host(request, written)

    def same_host(self, request: Request, written: str) -> Answer:
        """Answer for a ticket on the API's own port, where a key may arrive."""
        ticket = self._simulator.tickets.read(written)
        if ticket is None:
            return _plain(403, "this signature does not fit")
        return self.deliver(ticket, request.headers.get("range"))

    def loop(self, request: Request, written: str) -> Answer:
        """Redirect to where the request came to already."""
        self._simulator.stats.remember("download", request.headers)
        return Answer(302, headers={"Location": f"{self._simulator.settings.download_url}/loop/{written}"})

    def deliver(self, ticket: Ticket, wanted: str | None = None) -> Answer:
        """Return the body of a ticket, or the wanted range, with the faults of this journey."""
        given = self._simulator.given.get((ticket.feed, ticket.minute))
        body = self._simulator.body(ticket.feed, ticket.minute, ticket.rules) if given is None else given
        answer = self._in_range(body, wanted) if self._simulator.modes.ranges else _whole(body)
        self._simulator.stats.count("download", ticket.feed, ticket.minute, answer.status)
        return Answer(answer.status, answer.body, answer.headers, self._travel(ticket, len(answer.body)))

    def _in_range(self, body: bytes, wanted: str | None) -> Answer:
        found = wanted and _RANGE.fullmatch(wanted)
        if not found or found.groups() == ("", ""):
            return _whole(body, {"Accept-Ranges": "bytes"})
        first, last = (int(number) if number else None for number in found.groups())
        if first is None:
            first, last = max(0, len(body) - (last or 0)), None
        end = len(body) if last is None else min(last + 1, len(body))
        if first >= end:
            return Answer(416, headers={"Content-Range": f"bytes */{len(body)}"})
        head = {"Content-Range": f"bytes {first}-{end - 1}/{len(body)}", "Accept-Ranges": "bytes"}
        return Answer(206, body[first:end], _TYPE | head)

    def _travel(self, ticket: Ticket, length: int) -> Wire:
        rules = self._simulator.faults.all(faults.TRAVELS, ticket.feed, ticket.minute)
        stops = [int(rule.at * length) for rule in rules if rule.kind in ("reset", "short")]
        return Wire(
            stop_after=min(stops, default=None),
            reset=any(rule.kind == "reset" for rule in rules),
            seconds=sum(rule.seconds for rule in rules if rule.kind == "slow"),
        )


_TYPE = {"Content-Type": "application/x-bzip2"}


def _whole(body: bytes, headers: dict[str, str] | None = None) -> Answer:
    return Answer(200, body, _TYPE | (headers or {}))


def _plain(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})
