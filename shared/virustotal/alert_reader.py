"""Pages of Digital Threat Monitoring's alerts, the last updated first (GET /dtm/alerts of gtidocs.virustotal.com).

The next page is named only by a Link header, whose host need not be the API's. Only its query is used, at the own
endpoint, so that the API key goes to no other host. A page can be requested only once and within `life`; after that the
list is read from its front again.
"""

import re
from urllib.parse import parse_qsl, urlsplit

from requests.utils import parse_header_links

from shared.contracts.outcomes import TransientError
from shared.virustotal.list_reader import ApiReader, ListQuery, ListReader
from shared.virustotal.listing import Listing, read_items, valid_json

ALERTS = "/dtm/alerts"
# The longest that the API allows; a poll is shorter.
_LIFE = "10m"
_QUERY = re.compile(r"[A-Za-z0-9._~%&=+/:,-]{1,4000}", re.ASCII)


class AlertReader:
    """Reads one page at a time; a query's filter is a query string, such as `refs=false`."""

    def __init__(self, api: ApiReader) -> None:
        self._api = api

    def page(self, question: ListQuery) -> Listing:
        """Return a page; raises what ListReader does."""
        what = f"page of {question.path}"
        answer = self._api.answer(f"{question.path}?{question.cursor or _first(question)}", what)
        with valid_json(what):
            _, items = read_items(answer.body, "alerts", question.fields)
        if items is None:
            raise TransientError(f"{what}: the response has no list of objects in `alerts`")
        # An empty page may have a link too, and all pages of a list may have the same one.
        return Listing(items, _next(answer.link, what) if items else None, answer.date)


def _first(question: ListQuery) -> str:
    sort = question.order.removesuffix("-")
    query = f"sort={sort}&order=desc&size={question.limit}&life={_LIFE}"
    return f"{query}&{question.filter}" if question.filter else query


def _next(link: str | None, what: str) -> str | None:
    """Return the query of the next page."""
    addresses = [one["url"] for one in parse_header_links(link or "") if one.get("rel") == "next"]
    if not addresses:
        return None
    try:
        query = urlsplit(addresses[0]).query
    except ValueError:
        query = ""
    if not _QUERY.fullmatch(query) or "page" not in dict(parse_qsl(query)):
        raise TransientError(f"{what}: the link to the next page has no page")
    return query


class PagedLists:
    """Reads pages of every list: alerts have an API of their own."""

    def __init__(self, *, lists: ListReader, alerts: AlertReader) -> None:
        self._lists = lists
        self._alerts = alerts

    def page(self, question: ListQuery) -> Listing:
        """Return a page; raises what ListReader does."""
        reader = self._alerts if question.path == ALERTS else self._lists
        return reader.page(question)
