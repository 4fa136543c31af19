"""The status page in a real browser: Debian's Chromium, and the page's own answers over data that a test sets."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Thread

import orjson
import pytest
from flask import Flask, Request, Response, request
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from services.console.coverage import Cell, Coverage
from services.console.dead import Death
from services.console.feeds import feed_status
from services.console.page.answer import answer
from services.console.page.reading import Reading
from services.console.page.shape import shape
from services.console.status import MeshStatus, SubscriptionStatus
from services.console.stream_log import LoggedPage, StreamLog
from services.console.streams import stream_status
from shared.minutes import last_due, minutes_between, oldest_served
from shared.secops.delivery import Delivery

# Without them Chromium calls home, which a test machine may not let it.
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FEEDS = ("domains", "files", "urls", "ip_addresses", "file_behaviours")
HOSTILE = "<img src=x onerror=\"document.title='owned'\"></script>"
NOW = datetime.now(UTC)
NEWEST = last_due(NOW)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium once a session; skip where there is none."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium; install the Debian package chromium")
    with sync_playwright() as playwright:
        # A container's root has no user namespace of its own for the sandbox.
        browser = playwright.chromium.launch(executable_path=found, args=[*QUIET, "--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@dataclass
class Site:
    """A server with the page, and what it says when it is asked."""

    url: str = ""
    status: int = 200
    data: dict[str, object] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, asked: Request) -> Response:
        """Answer as the service does."""
        self.asked.append(f"{asked.method} {asked.path}")
        return answer(asked, latest=lambda: Reading(orjson.dumps(self.data), NOW, self.status))


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve the page of a mesh in which nothing is wrong."""
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
    thread.join(10)
    server.server_close()


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    """Open the page in a context of its own and wait until it shows something; fail on any error of its script."""
    contexts, errors = [], []

    def opened(*, ready: str = "#map-cursor[aria-label]", **context: object) -> Page:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context}))  # type: ignore[arg-type]
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(site.url)
        page.locator(ready).first.wait_for(state="attached", timeout=30_000)
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
    """Return a stream that has had a page of 25 notifications every hour, and then these pages."""
    done = Delivery(items=25, done=25, accepted=25, requests=1)
    pages = [page(number, NOW - timedelta(hours=167 - number), done) for number in range(1, 160)]
    pages += undone
    return StreamLog("ioc_stream", tuple(pages), pages[-1], NOW - timedelta(days=7), NOW - timedelta(minutes=3))


def page(number: int, landed: datetime, delivery: Delivery) -> LoggedPage:
    """Return a page of the stream."""
    return LoggedPage(number, f"gs://landing/streams/ioc_stream/pages/{number:010d}.json", landed, delivery)


def mesh_data(
    *weeks: dict[datetime, Cell], deaths: tuple[Death, ...] = (), seconds: int = 3600, logs: tuple[StreamLog, ...] = ()
) -> dict[str, object]:
    """Return the page's data for a week a feed, and for these streams."""
    coverages = [
        Coverage(name, tuple(week[minute] for minute in sorted(week)), NEWEST if week else None)
        for name, week in zip(FEEDS, weeks, strict=False)
    ]
    subscriptions = (SubscriptionStatus("downloader", 12, 90, "monitoring"),)
    feeds = [feed_status(coverage, NOW) for coverage in coverages]
    streams = [stream_status(log, deaths, NOW) for log in logs]
    status = MeshStatus(NOW, feeds, subscriptions, deaths, streams)
    return shape(status, coverages, seconds=seconds)
