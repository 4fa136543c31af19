"""Resolve redirects, and request their target with unchanged bytes.

requests and urllib3 rewrite an address before they send it: `%7E` becomes `~`, `%2f` becomes `%2F`, `//` and `/../` at
its beginning go. If the signature covers the address's bytes, a rewritten address is refused.
"""

import re
import string
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection

# The part of an address that goes into the request line (RFC 9112, 3.2.1): path and query, without the fragment.
_AFTER_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*([^#]*)")
_as_written: ContextVar[str | None] = ContextVar("_as_written", default=None)


def resolve(url: str, location: str) -> str:
    """Return the address of a `Location` header in a response to `url`; raise ValueError if it is invalid.

    Bytes that are invalid in a request line (spaces and non-ASCII bytes) are percent-encoded; nothing else changes.
    """
    # http.client reads header bytes as Latin-1.
    location = quote(location.encode("latin-1"), safe=string.punctuation)
    here = urlsplit(url)
    if urlsplit(location).scheme:
        return location
    if location.startswith("//"):
        return f"{here.scheme}:{location}"
    if location.startswith("/"):
        return f"{here.scheme}://{here.netloc}{location}"
    return urljoin(url, location)


def request_target(url: str) -> str:
    """Return the unchanged path and query of an absolute address; raise ValueError without a host."""
    found = _AFTER_HOST.match(url)
    if found is None:
        raise ValueError(f"not an absolute address: {url!r}")
    return found[1] if found[1].startswith("/") else f"/{found[1]}"


@contextmanager
def sent_as_written(url: str) -> Iterator[None]:
    """Make this thread's requests over an ExactTargetAdapter use the unchanged target of this address."""
    token = _as_written.set(request_target(url))
    try:
        yield
    finally:
        _as_written.reset(token)


class ExactTargetAdapter(HTTPAdapter):
    """Sends requests with the target set by sent_as_written(), or else the normal target."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> PoolManager:
        """Return the pools of connections through a proxy."""
        manager: PoolManager = super().proxy_manager_for(proxy, **kwargs)
        if isinstance(manager, ProxyManager):
            manager.pool_classes_by_scheme = _POOLS
        return manager


def _target(url: str) -> str:
    # A request through a plain HTTP proxy has an absolute address, which is not changed.
    exact = _as_written.get()
    return exact if exact is not None and url.startswith("/") else url


class _Connection(HTTPConnection):
    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        super().putrequest(method, _target(url), *args, **kwargs)


class _TlsConnection(HTTPSConnection):
    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        super().putrequest(method, _target(url), *args, **kwargs)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _Pool, "https": _TlsPool}
