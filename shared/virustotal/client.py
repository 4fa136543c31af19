"""A client for VirusTotal's API v3.

A feed package is answered with a redirect to another host, which must never see the API key; so redirects are followed
by hand, without it. Retries live here and nowhere else: at most 30 seconds for one request, then Pub/Sub takes over.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from io import BytesIO
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import requests
import stamina
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from shared.outcomes import Misconfigured
from shared.virustotal.body import Package
from shared.virustotal.errors import KeyRefused, SourceTrouble, raise_for_answer

RETRY_SECONDS = 30.0
_TIMEOUT = (10.0, 60.0)
_MOST_REDIRECTS = 5
_MOST_REDIRECT_BYTES = 64 * 1024
# A page of a list has at most 40 objects of some hundred kilobytes.
_MOST_ANSWER_BYTES = 64 * 1024 * 1024
_HEADERS = {
    "User-Agent": "gti-mesh",
    # Asked of every integration by the GTI dev kit.
    "x-tool": "gti-mesh",
    # The package is compressed already; a transfer encoding would only hide its length.
    "Accept-Encoding": "identity",
}


class Key(Protocol):
    """Where the API key comes from."""

    def read(self) -> SecretStr:
        """Return the key; raise Misconfigured when there is none."""

    def refused(self, key: SecretStr) -> bool:
        """Take note that the source refused this key; say whether there is another one now."""


class FixedKey:
    """A key from a setting; it changes only with a new revision of the service."""

    def __init__(self, key: SecretStr) -> None:
        if not key.get_secret_value():
            raise Misconfigured("no API key: set VT_API_KEY, or VT_API_KEY_SECRET to a secret that holds it")
        self._key = key

    def read(self) -> SecretStr:
        """Return the key."""
        return self._key

    def refused(self, key: SecretStr) -> bool:
        """Say that there is no other key."""
        return key != self._key


class VirusTotal:
    """VirusTotal's API v3 at `api_url`; safe for several threads."""

    def __init__(self, *, api_url: str, key: Key) -> None:
        self._api_url = api_url.rstrip("/")
        self._key = key
        self._local = threading.local()

    @contextmanager
    def package(self, feed_path: str, minute: datetime) -> Iterator[Package]:
        """Open a minute's package, whose bytes can be read, in any one thread, while the block lasts.

        Raises NotAvailableYet, PackageMissing, NotLicensed, RequestRefused, and SourceTrouble or KeyRefused when
        the source is in a bad state; reading raises SourceTrouble when a connection that broke cannot be mended.
        """
        what = f"package {feed_path} {minute:%Y%m%d%H%M}"
        package = self._open(f"/feeds/{feed_path}/{minute:%Y%m%d%H%M}", what)
        try:
            yield package
        finally:
            package.close()

    def read(self, path: str, what: str) -> bytes:
        """Return the whole body of a small answer; raises what package() raises, and SourceTrouble for a large one."""
        body = BytesIO()
        with closing(self._open(path, what)) as answer:
            for chunk in answer.chunks():
                body.write(chunk)
                if body.tell() > _MOST_ANSWER_BYTES:
                    raise SourceTrouble(f"{what}: the answer has more than {_MOST_ANSWER_BYTES} bytes")
        return body.getvalue()

    def _open(self, path: str, what: str) -> Package:
        ask = partial(self._get, self._session(), path, what)
        return Package(what, ask({}), ask)

    def _get(self, session: requests.Session, path: str, what: str, headers: Mapping[str, str]) -> requests.Response:
        request = _Request(session, f"{self._api_url}{path}", what, headers)
        attempts = stamina.retry_context(on=_worth_another_try, attempts=4, timeout=RETRY_SECONDS, wait_initial=0.5)
        for attempt in attempts:
            with attempt:
                return self._with_key(request)
        raise AssertionError("stamina ends with a result or an exception")

    def _with_key(self, request: "_Request") -> requests.Response:
        key = self._key.read()
        try:
            return request.follow(key)
        except KeyRefused:
            # A key that was rotated while this process ran is found by reading its secret again.
            if not self._key.refused(key):
                raise
            return request.follow(self._key.read())

    def _session(self) -> requests.Session:
        # requests does not promise that a session may be shared between threads.
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.headers.update(_HEADERS)
            # Without an auth of its own, requests looks into .netrc for the redirect's host.
            session.auth = _unchanged
        return session


@dataclass(frozen=True)
class _Request:
    """A GET of the API, followed to where it leads."""

    session: requests.Session
    url: str
    what: str
    headers: Mapping[str, str]

    def follow(self, key: SecretStr) -> requests.Response:
        url = self.url
        answer = self._send(url, {**self.headers, "x-apikey": key.get_secret_value()})
        for _ in range(_MOST_REDIRECTS):
            if not answer.is_redirect:
                return answer
            url = self._target(url, answer)
            _give_back(answer)
            answer = self._send(url, self.headers)
        _give_back(answer)
        raise SourceTrouble(f"{self.what}: more than {_MOST_REDIRECTS} redirects")

    def _target(self, url: str, answer: requests.Response) -> str:
        try:
            target = urljoin(url, answer.headers["Location"])
            scheme = urlsplit(target).scheme
        except ValueError:
            raise SourceTrouble(f"{self.what}: redirected to what is no address") from None
        if scheme != "https" and scheme != urlsplit(self.url).scheme:
            raise SourceTrouble(f"{self.what}: refused a redirect to {scheme or 'an unknown scheme'}://")
        return target

    def _send(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        try:
            answer = self.session.get(url, headers=headers, allow_redirects=False, stream=True, timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise SourceTrouble(f"{self.what}: {type(error).__name__}: {_without_url(error)}") from None
        except ValueError as error:
            # requests reads a redirect's address even when it is not to follow it, and address or header may be spoilt.
            raise SourceTrouble(f"{self.what}: {type(error).__name__} in an address or a redirect") from None
        try:
            raise_for_answer(answer, self.what)
        except BaseException:
            answer.close()
            raise
        return answer


def _give_back(answer: requests.Response) -> None:
    # Only a connection whose answer was read to its end can carry the next request.
    with suppress(HTTPError, OSError):
        answer.raw.read(_MOST_REDIRECT_BYTES)
    answer.close()


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _worth_another_try(error: Exception) -> bool | float:
    if not isinstance(error, SourceTrouble):
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= RETRY_SECONDS / 2 else False


def _without_url(error: requests.RequestException) -> str:
    # A redirect's address is signed: whoever reads it in a log can fetch the package.
    cause = error.args[0] if error.args else error
    return type(getattr(cause, "reason", cause)).__name__
