"""The download port: serves the body for a token, also in ranges, and counts API keys that should not arrive there."""

import re

from infra.local.virustotal import faults
from infra.local.virustotal.download_tokens import DownloadToken
from infra.local.virustotal.simulator import Simulator
from infra.local.web import Answer, Request, Route, Wire, route

SAME_BYTES = "/pkg/a%2Eb%7Ec/{}?sig=x%2db%2f%7E"
"""Percent-encoding that URL libraries rewrite: of characters that need none, and in lower case."""

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


class Downloads:
    """Serves the bodies of packages."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        """Return the routes of the download port."""
        return [
            route("GET", r"/packages/(?P<written>[^/]+)", self.other_host),
            route("GET", r"/loop/(?P<written>[^/]+)", self.loop),
            route("GET", r"/pkg/[^/]+/(?P<written>[^/]+)", self.same_bytes),
        ]

    def other_host(self, request: Request, written: str) -> Answer:
        """Serve the download port: count an API key, and refuse it in the mode for that."""
        self._simulator.stats.remember("download", request.headers)
        if self._simulator.modes.refuse_keys and "x-apikey" in request.headers:
            return _plain(400, "an API key must not be sent to this host")
        return self.same_host(request, written)

    def same_host(self, request: Request, written: str) -> Answer:
        """Serve a token on the API's port, where a key may be sent."""
        token = self._simulator.tokens.read(written)
        if token is None:
            return _storage_error(403)
        place = {"feed": token.feed, "minute": token.minute}
        if rule := self._simulator.faults.first(faults.HOSTS, **place):
            self._simulator.stats.count("download", **place, status=rule.status or 403)
            return _storage_error(rule.status or 403)
        return self.deliver(token, request.headers.get("range"))

    def same_bytes(self, request: Request, written: str) -> Answer:
        """Serve an address that is signed byte for byte: any rewritten form has a wrong signature."""
        if request.target != SAME_BYTES.format(written):
            self._simulator.stats.remember("download", request.headers)
            return _storage_error(403)
        return self.other_host(request, written)

    def loop(self, request: Request, written: str) -> Answer:
        """Redirect to the same address."""
        self._simulator.stats.remember("download", request.headers)
        return Answer(302, headers={"Location": f"{self._simulator.settings.download_url}/loop/{written}"})

    def deliver(self, token: DownloadToken, wanted: str | None = None) -> Answer:
        """Return the body for a token, or a range of it, with transfer faults."""
        given = self._simulator.given.get((token.feed, token.minute))
        body = self._simulator.body(token.feed, token.minute, token.rules) if given is None else given
        answer = self._in_range(body, wanted) if self._simulator.modes.ranges else _whole(body)
        self._simulator.stats.count("download", token.feed, token.minute, answer.status)
        headers = {**answer.headers, **({} if given else _coding(token))}
        return Answer(answer.status, answer.body, headers, self._travel(token, len(answer.body)))

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

    def _travel(self, token: DownloadToken, length: int) -> Wire:
        rules = self._simulator.faults.all(faults.TRAVELS, feed=token.feed, minute=token.minute)
        stops = [int(rule.at * length) for rule in rules if rule.kind in ("reset", "short")]
        return Wire(
            stop_after=min(stops, default=None),
            reset=any(rule.kind == "reset" for rule in rules),
            seconds=sum(rule.seconds for rule in rules if rule.kind == "slow"),
        )


_TYPE = {"Content-Type": "application/x-bzip2"}


def _coding(token: DownloadToken) -> dict[str, str]:
    codings = [rule.coding for rule in token.rules if rule.kind == "content_encoding"]
    return {"Content-Encoding": ", ".join(codings)} if codings else {}


def _whole(body: bytes, headers: dict[str, str] | None = None) -> Answer:
    return Answer(200, body, _TYPE | (headers or {}))


def _plain(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})


def _storage_error(status: int) -> Answer:
    """Return an error of Cloud Storage's XML API (cloud.google.com/storage/docs/xml-api/reference-status)."""
    code, text = _STORAGE_ERRORS.get(status, ("Error", "The request was refused."))
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{text}</Message></Error>"
    return Answer(status, body.encode(), {"Content-Type": "application/xml; charset=UTF-8"})


_STORAGE_ERRORS = {
    400: ("ExpiredToken", "The provided token has expired."),
    401: ("AuthenticationRequired", "Authentication required."),
    403: ("SignatureDoesNotMatch", "The signature does not fit the request."),
    404: ("NoSuchKey", "The specified key does not exist."),
    408: ("RequestTimeout", "The request took too long."),
    410: ("Gone", "The resource is gone."),
    412: ("PreconditionFailed", "A precondition was not met."),
}
