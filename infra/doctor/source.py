"""Checks of VirusTotal: the key, what it may read, and where packages come from."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr

from shared.feeds.definition import find_feed
from shared.operations.doctor.check import Check, Finding, failed, passed, passed_unless, unknown
from shared.runtime.http_requests import TIMEOUT
from shared.streams.definition import Stream
from shared.virustotal.alert_reader import AlertReader, PagedLists
from shared.virustotal.check_key import feeds_without_licence
from shared.virustotal.client import FixedKey, VirusTotal
from shared.virustotal.errors import KeyRefused, NotLicensed
from shared.virustotal.list_reader import ListQuery, ListReader

Key = Callable[[], SecretStr]


def source_checks(
    *, api_url: str, key: Key, feeds: Sequence[str], streams: Sequence[Stream], minute: datetime
) -> Iterator[Check]:
    """Yield the checks; they make one request for each feed and stream, and two for the package's host."""
    yield Check(
        name="VirusTotal key",
        relies_on="VirusTotal accepts the key, and its owner may read every feed and stream that is switched on",
        look=partial(_licences, api_url, key, feeds, streams, minute),
        meaning="a refused key stops everything; a feed or stream without a licence gets nothing",
        remedy="add a version to the secret, or switch the feed or stream off",
        local=True,
    )
    if in_files := [feed for feed in feeds if find_feed(feed).source == "feeds"]:
        yield Check(
            name="package host",
            relies_on="a package's link leads to a host that serves ranges, over https",
            look=partial(_package_host, api_url, key, in_files[0], minute),
            meaning="without ranges a broken download starts again; the key is never sent to that host in any case",
            remedy="let the VPC's egress reach the host; nothing else depends on it",
            local=True,
        )


def _licences(api_url: str, key: Key, feeds: Sequence[str], streams: Sequence[Stream], minute: datetime) -> Finding:
    source = VirusTotal(api_url=api_url, key=FixedKey(key()))
    # Issues have a check of their own.
    lists = [stream for stream in streams if stream.listing != "windows"]
    try:
        refused = feeds_without_licence(source, map(find_feed, feeds), minute)
        reader = PagedLists(lists=ListReader(source), alerts=AlertReader(source))
        refused += [stream.name for stream in lists if not _may_read(reader, stream)]
    except KeyRefused as error:
        return failed(str(error))
    asked = ", ".join([*feeds, *(stream.name for stream in lists)])
    return passed_unless([f"the key's owner may not read {name}" for name in refused], f"the key may read {asked}")


def _may_read(reader: PagedLists, stream: Stream) -> bool:
    try:
        reader.page(ListQuery(stream.path, stream.filter, stream.order, limit=1))
    except NotLicensed:
        return False
    return True


def _package_host(api_url: str, key: Key, feed: str, minute: datetime) -> Finding:
    address = f"{api_url.rstrip('/')}/feeds/{find_feed(feed).path}/{minute:%Y%m%d%H%M}"
    headers = {"x-apikey": key().get_secret_value(), "x-tool": "gti-mesh"}
    answer = requests.get(address, headers=headers, allow_redirects=False, timeout=TIMEOUT)
    if not answer.is_redirect:
        return unknown(f"answered {answer.status_code} instead of a redirect")
    target = answer.headers["Location"]
    host = urlsplit(target).hostname
    if urlsplit(target).scheme not in ("https", urlsplit(api_url).scheme):
        return failed(f"the link leads to {host} without TLS")
    # Without the key: this is another host.
    part = requests.get(target, headers={"Range": "bytes=0-0"}, allow_redirects=False, timeout=TIMEOUT)
    ranges = "serves ranges" if part.status_code == 206 else f"answered {part.status_code} to a range"
    return passed(f"{host} {ranges}") if part.status_code == 206 else failed(f"{host} {ranges}")
