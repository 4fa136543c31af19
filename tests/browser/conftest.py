"""The status page in a real browser: Debian's Chromium, and the page's responses over a test's data."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Thread

import orjson
import pytest
from flask import Flask, Request, Response, request
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import make_server

from services.status_page.answer import answer
from services.status_page.reading import Reading
from services.status_page.shape import shape
from shared.contracts.minutes import last_due, minutes_between, oldest_served
from shared.operations.coverage import Cell, Coverage
from shared.operations.feed_status import feed_status
from shared.operations.open_dead_letters import DeadLetterRecord
from shared.operations.status import MeshStatus
from shared.operations.stream_log import LoggedPage, StreamLog
from shared.operations.stream_status import stream_status
from shared.operations.subscriptions import SubscriptionStatus
from shared.streams.delivery_progress import Delivery
from shared.streams.landing_log import hour_number
from tests.support.optional_tools import CHROMIUM
from tests.support.waiting import PATIENCE

# Without them Chromium calls home, which a test machine may not let it.
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FEEDS = ("domains", "files", "urls", "ip_addresses", "file_behaviours")
HOSTILE = "<img src=x onerror=\"document.title='owned'\"></script>"
NOW = datetime.now(UTC)
NEWEST = last_due(NOW)

expect.set_options(timeout=1000 * PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium once per file; skip where there is none.

    While it runs, this thread has a running event loop, and no test of another file could start its own.
    """
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(CHROMIUM.reason)
    with sync_playwright() as playwright:
        # A container's root has no user namespace of its own for the sandbox.
        browser = playwright.chromium.launch(executable_path=found, args=[*QUIET, "--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@dataclass
class Site:
    """A server with the page, and its responses."""

    url: str = ""
    status: int = 200
    data: dict[str, object] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    read_at: datetime = NOW

    def answer(self, asked: Request) -> Response:
        """Answer as the service does."""
        self.asked.append(f"{asked.method} {asked.path}")
        return answer(asked, latest=lambda: Reading(orjson.dumps(self.data), self.read_at, self.status))


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve the page of a mesh without problems."""
    site = Site(data=mesh_data(merged_week()))
    app = Flask("page")
    app.add_url_rule("/", "page", lambda: site.answer(request))
    app.add_url_rule("/data.json", "data", lambda: site.answer(request))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}/"
    yield site
    server.shutdown()
    thread.join(PATIENCE)
    server.server_close()


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    """Open the page in its own browser context and wait until it shows data; fail on any script error."""
    contexts, errors = [], []

    def opened(*, ready: str = "#map-cursor[aria-label]", **context: object) -> Page:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context}))  # type: ignore[arg-type]
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(site.url)
        page.locator(ready).first.wait_for(state="attached", timeout=1000 * PATIENCE)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


def merged_week() -> dict[datetime, Cell]:
    """Return seven days of merged minutes."""
    return {minute: _merged(minute) for minute in minutes_between(oldest_served(NOW), NEWEST)}


def _merged(minute: datetime) -> Cell:
    job = f"gti-mesh-domains-{minute:%Y%m%d%H%M}-0af76519-1"
    return Cell(minute, "merged", minute + timedelta(hours=2), 60, 0, job_id=job)


def stream_week(*undone: LoggedPage) -> StreamLog:
    """Return a stream with a page of 25 notifications every hour, followed by these pages."""
    done = Delivery(items=25, done=25, accepted=25, requests=1)
    pages = [page(number, NOW - timedelta(hours=167 - number), done) for number in range(1, 160)]
    pages += undone
    return StreamLog("ioc_stream", tuple(pages), pages[-1], NOW - timedelta(days=7), NOW - timedelta(minutes=3))


def forwarded_week(*undone: LoggedPage) -> StreamLog:
    """Return the threat lists to SecOps, with 25 elements every hour, followed by these hours."""
    done = Delivery(items=25, done=25, accepted=25, requests=1)
    hours = [hour(number, done) for number in range(167, 5, -1)]
    pages = (*hours, *undone)
    return StreamLog("threat_lists", pages, pages[-1], pages[0].hour, pages[-1].hour, unit="hour")


def hour(ago: int, delivery: Delivery) -> LoggedPage:
    """Return the landed hour of so many hours ago."""
    begins = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(hours=ago)
    uri = f"gs://landing/threat_lists/{begins:%Y/%m/%d/%H%M}-0af76519.ndjson.gz"
    return LoggedPage(hour_number(begins), uri, begins + timedelta(hours=2), delivery)


def page(number: int, landed: datetime, delivery: Delivery) -> LoggedPage:
    """Return a page of the stream."""
    return LoggedPage(number, f"gs://landing/streams/ioc_stream/pages/{number:010d}.json", landed, delivery)


def mesh_data(
    *weeks: dict[datetime, Cell],
    dead_letters: tuple[DeadLetterRecord, ...] = (),
    seconds: int = 3600,
    logs: tuple[StreamLog, ...] = (),
) -> dict[str, object]:
    """Return the page's data for a week of these feeds, and for these streams."""
    coverages = [
        Coverage(name, tuple(week[minute] for minute in sorted(week)), NEWEST if week else None)
        for name, week in zip(FEEDS, weeks, strict=False)
    ]
    subscriptions = (SubscriptionStatus("downloader", 12, 90, "monitoring"),)
    feeds = [feed_status(coverage, NOW) for coverage in coverages]
    streams = [stream_status(log, dead_letters, NOW) for log in logs]
    status = MeshStatus(NOW, feeds, subscriptions, dead_letters, streams)
    return shape(status, coverages, seconds=seconds)
