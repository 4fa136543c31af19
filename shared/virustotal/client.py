"""A client for VirusTotal's API v3.

A feed package is answered with a redirect to another host, which must never see the API key; so redirects are followed
explicitly, without the key. Transient errors are retried from the start, so that the API gives a new link.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from io import BytesIO
from types import MappingProxyType
from typing import Protocol
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from shared.contracts.outcomes import TransientError
from shared.runtime.http_requests import TIMEOUT, SessionPerThread, with_retries
from shared.virustotal.api_answer import ApiAnswer, read_date
from shared.virustotal.errors import KeyRefused, raise_for_api_answer, raise_for_redirected_answer
from shared.virustotal.package_download import PackageDownload
from shared.virustotal.request_targets import ExactTargetAdapter, resolve, sent_as_written

_MAX_REDIRECTS = 5
_MAX_REDIRECT_BYTES = 64 * 1024
# A page of a list has at most 40 objects of a few hundred kilobytes.
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
_HEADERS = {
    "User-Agent": "gti-mesh",
    # Required of every integration by the GTI dev kit.
    "x-tool": "gti-mesh",
    # The package is compressed already; a transfer encoding would only hide its length.
    "Accept-Encoding": "identity",
}
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


RaiseFor = Callable[[requests.Response, str], None]
Retry = Callable[[Callable[[], requests.Response]], requests.Response]


def once(request: Callable[[], requests.Response]) -> requests.Response:
    """Make a request without retries."""
    return request()


class Key(Protocol):
    """Where the API key comes from."""

    def read(self) -> SecretStr:
        """Return the key; raise Misconfigured if there is none."""

    def refused(self, key: SecretStr) -> bool:
        """Handle a key that the source refused; return whether there is another one now."""


class FixedKey:
    """A key from a setting; it changes only with a new revision of the service."""

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def read(self) -> SecretStr:
        """Return the key."""
        return self._key

    def refused(self, key: SecretStr) -> bool:
        """Return whether this is another key than the fixed one."""
        return key != self._key


class VirusTotal:
    """VirusTotal's API v3 at `api_url`; thread-safe. `retry` makes a request, with retries of transient errors."""

    def __init__(self, *, api_url: str, key: Key, retry: Retry = with_retries) -> None:
        self._api_url = api_url.rstrip("/")
        self._key = key
        self._retry = retry
        self._session = SessionPerThread(_new_session)

    @contextmanager
    def package(self, feed_path: str, minute: datetime) -> Iterator[PackageDownload]:
        """Open a minute's package; its bytes can be read by one thread inside the block.

        Raises NotAvailableYet, PackageMissing, NotLicensed, RequestRefused, and TransientError or KeyRefused if the
        source fails; reading raises TransientError if a broken connection cannot be resumed.
        """
        what = f"package {feed_path} {minute:%Y%m%d%H%M}"
        package = self._open(f"/feeds/{feed_path}/{minute:%Y%m%d%H%M}", what)
        try:
            yield package
        finally:
            package.close()

    def read(self, path: str, what: str) -> bytes:
        """Return the body of a small response; raises the errors of package(), TransientError if it is too large."""
        return self.answer(path, what).body

    def answer(self, path: str, what: str, headers: Mapping[str, str] = NO_HEADERS) -> ApiAnswer:
        """Return a small response with its Date and its Link; raises the errors of read().

        The headers are sent to the API only, as the key is.
        """
        body = BytesIO()
        with closing(self._open(path, what, headers)) as package:
            date = read_date(package.answer.headers.get("Date"))
            for chunk in package.chunks():
                body.write(chunk)
                if body.tell() > _MAX_ANSWER_BYTES:
                    raise TransientError(f"{what}: the response has more than {_MAX_ANSWER_BYTES} bytes")
        return ApiAnswer(body.getvalue(), date, package.answer.headers.get("Link"))

    def _open(self, path: str, what: str, for_api: Mapping[str, str] = NO_HEADERS) -> PackageDownload:
        request = _Request(self._session(), f"{self._api_url}{path}", what, NO_HEADERS, for_api)
        ask = partial(self._get, request)
        return PackageDownload(what, ask({}), ask)

    def _get(self, request: "_Request", headers: Mapping[str, str]) -> requests.Response:
        request = replace(request, headers=headers)
        return self._retry(lambda: self._with_key(request))

    def _with_key(self, request: "_Request") -> requests.Response:
        key = self._key.read()
        try:
            return request.follow(key)
        except KeyRefused:
            # A key that was rotated while this process ran is found by reading its secret again.
            if not self._key.refused(key):
                raise
            return request.follow(self._key.read())


class _Session(requests.Session):
    """A session that leaves redirects to its caller.

    requests parses a redirect's address even if it is not to follow it, and an invalid one would raise before the
    caller has a response to close.
    """

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 the base class names it so
        """Return no target for any response."""
        return None


def _new_session() -> requests.Session:
    session = _Session()
    session.headers.update(_HEADERS)
    # Without an auth of its own, requests looks into .netrc for the redirect's host.
    session.auth = _unchanged
    for scheme in ("https://", "http://"):
        session.mount(scheme, ExactTargetAdapter())
    return session


@dataclass(frozen=True)
class _Request:
    """A GET request to the API, with redirects followed; `for_api` has headers that no other host gets."""

    session: requests.Session
    url: str
    what: str
    headers: Mapping[str, str]
    for_api: Mapping[str, str] = field(default_factory=dict)

    def follow(self, key: SecretStr) -> requests.Response:
        """Return the response with the body; raise the error of any other response."""
        url = self.url
        sent = {**self.headers, **self.for_api, "x-apikey": key.get_secret_value()}
        answer = self._send(url, sent, raise_for_api_answer)
        for _ in range(_MAX_REDIRECTS):
            if not answer.is_redirect:
                return answer
            try:
                url = self._target(url, answer)
            finally:
                _give_back(answer)
            answer = self._send(url, self.headers, raise_for_redirected_answer)
        _give_back(answer)
        raise TransientError(f"{self.what}: more than {_MAX_REDIRECTS} redirects")

    def _target(self, url: str, answer: requests.Response) -> str:
        try:
            target = resolve(url, answer.headers["Location"])
            scheme = urlsplit(target).scheme
        except ValueError:
            raise TransientError(f"{self.what}: redirected to an invalid address") from None
        if scheme != "https" and scheme != urlsplit(self.url).scheme:
            raise TransientError(f"{self.what}: refused a redirect to {scheme or 'an unknown scheme'}://")
        return target

    def _send(self, url: str, headers: Mapping[str, str], raise_for: RaiseFor) -> requests.Response:
        try:
            with sent_as_written(url):
                answer = self.session.get(url, headers=headers, allow_redirects=False, stream=True, timeout=TIMEOUT)
        except requests.RequestException as error:
            raise TransientError(f"{self.what}: {type(error).__name__}: {_without_url(error)}") from None
        except ValueError as error:
            # The address may come from a redirect, and be malformed.
            raise TransientError(f"{self.what}: {type(error).__name__} in an address or a redirect") from None
        try:
            raise_for(answer, self.what)
            self._refuse_other_than_asked(answer)
        except BaseException:
            answer.close()
            raise
        return answer

    def _refuse_other_than_asked(self, answer: requests.Response) -> None:
        # An unrequested 206 or a 204 must not count as a whole package.
        wanted = (200, 206) if "Range" in self.headers else (200,)
        if answer.status_code not in wanted and not answer.is_redirect:
            raise TransientError(f"{self.what}: answered {answer.status_code}, which does not answer this request")


def _give_back(answer: requests.Response) -> None:
    # A connection can be reused only if its response was read completely.
    with suppress(HTTPError, OSError):
        answer.raw.read(_MAX_REDIRECT_BYTES)
    answer.close()


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _without_url(error: requests.RequestException) -> str:
    # A redirect's address is signed: anyone who reads it in a log can fetch the package.
    cause = error.args[0] if error.args else error
    return type(getattr(cause, "reason", cause)).__name__
