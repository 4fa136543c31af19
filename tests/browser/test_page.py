"""What a person on call sees, and what the page must never do."""

import re
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from services.console.coverage import Cell
from services.console.dead import Death
from services.console.stream_log import StreamLog
from shared.secops.delivery import Delivery
from tests.browser.conftest import (
    FEEDS,
    HOSTILE,
    NEWEST,
    NOW,
    Site,
    Visit,
    merged_week,
    mesh_data,
    stream_week,
)
from tests.browser.conftest import (
    page as logged,
)

DAY_AGO = NEWEST - timedelta(days=1)
REPLAY = f"gti-mesh replay domains {DAY_AGO:%Y-%m-%dT%H:%MZ} {DAY_AGO + timedelta(minutes=2):%Y-%m-%dT%H:%MZ}"


def bad_day() -> dict[str, object]:
    """Return a feed with three dead minutes in a row, whose reason is hostile, and a letter that names no minute."""
    week = merged_week()
    for number in range(3):
        minute = DAY_AGO + timedelta(minutes=number)
        week[minute] = Cell(minute, "dead", NOW, reason=HOSTILE, attempts=100)
    dead = Death("17", None, None, f"the message cannot be read: {HOSTILE}", 1, "downloader", NOW, None)
    return mesh_data(week, merged_week(), deaths=(dead,), logs=(bad_stream(),))


def bad_stream() -> StreamLog:
    """Return a stream with a page that SecOps refused, two that wait too long, and one that has just landed."""
    hours_ago = NOW - timedelta(hours=2)
    return stream_week(
        logged(160, hours_ago, Delivery(items=40, done=10, accepted=10, requests=1, reason=f"SecOps said {HOSTILE}")),
        logged(161, hours_ago, Delivery(items=40)),
        logged(162, hours_ago, Delivery(items=40)),
        logged(163, NOW - timedelta(minutes=3), Delivery(items=7)),
    )


def measured(page: Page) -> dict[str, float]:
    """Return the page's own measures in milliseconds."""
    entries = page.evaluate("performance.getEntriesByType('measure').map(({name, duration}) => [name, duration])")
    return dict(entries)


def test_a_healthy_mesh_is_one_sentence(visit: Visit) -> None:
    """The first heading says that nothing is missing, and the lists say so too."""
    page = visit()
    expect(page.get_by_role("heading", level=1)).to_have_text("Every minute is accounted for")
    expect(page.locator("#gaps")).to_contain_text("No gap")
    expect(page.locator("#dead")).to_contain_text("No dead letter needs a person")
    expect(page.locator("#waiting")).to_contain_text(re.compile("downloader.*12.*2 minutes", re.DOTALL))


def test_every_gap_and_dead_letter_has_its_command(visit: Visit, site: Site) -> None:
    """Beside its reason; the button puts the command, and nothing else, on the clipboard."""
    site.data = bad_day()
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    expect(page.get_by_role("heading", level=1)).to_have_text("3 minutes, 2 pages, and 1 dead letter need a hand")
    expect(page.locator("#gaps code")).to_have_text(REPLAY)
    expect(page.locator("#dead code")).to_have_text("gti-mesh dead discard 17")
    page.get_by_role("button", name=f"Copy the command {REPLAY}").click()
    expect(page.locator("#spoken")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == REPLAY


def test_a_letter_says_what_it_is_about(visit: Visit, site: Site) -> None:
    """A page of a stream, which has no minute, or nothing that could be read."""
    uri = "gs://landing/streams/ioc_stream/pages/0000000003.json"
    page_letter = Death("18", None, None, "400: refused", 1, "secops-import", NOW, None, uri=uri)
    unread = Death("17", None, None, "the message cannot be read", 1, "downloader", NOW, None)
    site.data = mesh_data(merged_week(), merged_week(), deaths=(page_letter, unread))
    said = visit().locator("#dead b")
    expect(said).to_have_text(["ioc_stream, 1 page", "A message names no minute"])


def test_a_strangers_reason_is_only_ever_text(visit: Visit, site: Site) -> None:
    """Markup in a reason is shown as it is written, in the lists and on the map, and runs nowhere."""
    site.data = bad_day()
    page = visit()
    expect(page.locator("#gaps .reason")).to_have_text(HOSTILE)
    expect(page.locator("#dead .reason")).to_have_text(f"the message cannot be read: {HOSTILE}")
    page.locator("#gaps").get_by_role("button", name="Show").click()
    expect(page.locator("#readout")).to_contain_text(HOSTILE)
    assert page.locator("main img").count() == 0
    assert "owned" not in page.title()


def test_the_keyboard_reads_every_minute(visit: Visit, site: Site) -> None:
    """The cursor begins at the newest trouble, moves by minute, row and day, and says where it is."""
    site.data = bad_day()
    page = visit()
    cursor = page.get_by_role("gridcell")
    cursor.focus()
    expect(cursor).to_have_attribute("aria-label", re.compile(rf"{DAY_AGO:%H:%M} UTC, dead, .*100 deliveries"))
    page.keyboard.press("ArrowLeft")
    before = DAY_AGO - timedelta(minutes=1)
    expect(cursor).to_have_attribute("aria-label", re.compile(rf"domains .*{before:%H:%M} UTC, merged, .*60 lines"))
    expect(page.locator("#spoken")).to_contain_text("merged")
    expect(page.locator("#readout .job")).to_have_text(f"gti-mesh-domains-{before:%Y%m%d%H%M}-0af76519-1")
    page.keyboard.press("PageUp")
    expect(cursor).to_have_attribute("aria-label", re.compile(f"{before - timedelta(days=1):%H:%M} UTC, merged"))
    page.keyboard.press("n")
    expect(cursor).to_have_attribute("aria-label", re.compile(rf"{DAY_AGO:%H:%M} UTC, dead"))


def test_the_pointer_reads_the_cell_below_it(visit: Visit, site: Site) -> None:
    """What the readout names is what the map shows there."""
    site.data = bad_day()
    page = visit()
    box = page.locator("#map-cursor").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#readout")).to_contain_text(f"{DAY_AGO:%H:%M} UTC · dead")


def test_a_stream_has_a_tab_of_its_own(visit: Visit, site: Site) -> None:
    """Its figures, its pages that are not delivered with a command each, and no map of minutes."""
    site.data = bad_day()
    page = visit()
    page.get_by_role("tab", name="ioc_stream").click()
    panel = page.get_by_role("tabpanel", name="ioc_stream")
    for figure in ("notifications4,102", "delivered3,985", "waiting87", "given up30"):
        expect(panel).to_contain_text(figure)
    expect(panel).to_contain_text("159 delivered, 3 waiting, 1 given up")
    expect(page.locator("#coverage")).to_be_hidden()
    expect(page.locator("#pages code")).to_have_text(
        [
            "gti-mesh secops replay ioc_stream 160 160",
            "gti-mesh secops replay ioc_stream 161 162",
            "gti-mesh secops replay ioc_stream 163 163",
        ]
    )
    expect(page.locator("#pages .reason")).to_have_text(f"SecOps said {HOSTILE}")
    expect(page.locator("#chart svg")).to_have_attribute("aria-label", re.compile("4,102 in all"))
    assert page.url.endswith("#ioc_stream")
    page.get_by_role("tab", name="domains").click()
    expect(page.locator("#map-cells")).to_be_visible()
    expect(page.locator("#pages")).to_be_hidden()


def test_a_mesh_that_only_forwards_streams_is_whole_too(visit: Visit, site: Site) -> None:
    """Without a feed the page shows its streams."""
    site.data = mesh_data(logs=(stream_week(),))
    page = visit(ready="#pages p")
    expect(page.get_by_role("heading", level=1)).to_have_text("Every notification is accounted for")
    expect(page.locator("#pages")).to_contain_text("Every page of these days is delivered")


@pytest.mark.parametrize("width", [390, 700, 1280])
def test_five_feeds_of_a_week_are_drawn_within_a_second(visit: Visit, site: Site, width: int) -> None:
    """10,080 cells each, by the page's own clock; nothing sticks out sideways."""
    site.data = mesh_data(*[merged_week()] * len(FEEDS))
    page = visit(viewport={"width": width, "height": 900})
    for tab in page.get_by_role("tab").all():
        tab.click()
    took = measured(page)
    assert {name for name in took if name.startswith("map ")} == {f"map {feed}" for feed in FEEDS}
    assert sum(took.values()) < 1000, took
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_tabs_are_moved_through_by_arrow_keys(visit: Visit, site: Site) -> None:
    """The one chosen shows its feed, and its address brings it back."""
    site.data = mesh_data(merged_week(), merged_week())
    page = visit()
    page.get_by_role("tab", name="domains").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="files")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("grid")).to_have_attribute("aria-label", re.compile("files"))
    assert page.url.endswith("#files")


def test_the_page_follows_the_mesh_without_a_reload(visit: Visit, site: Site) -> None:
    """Trouble appears with the next poll."""
    site.data = mesh_data(merged_week(), seconds=1)
    page = visit()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Every minute is accounted for")
    site.data = bad_day()
    expect(heading).to_have_text("3 minutes, 2 pages, and 1 dead letter need a hand", timeout=10_000)


def test_what_cannot_be_read_is_said_beside_what_was(visit: Visit, site: Site) -> None:
    """The last reading stays, with its time; the error says what to do, and goes when it is over."""
    healthy = mesh_data(merged_week(), seconds=1)
    site.data = healthy
    page = visit()
    site.status, site.data = 503, {"error": f"no dataset {HOSTILE}; run `gti-mesh provision`"}
    failure = page.get_by_role("alert")
    expect(failure).to_contain_text("run `gti-mesh provision`", timeout=10_000)
    expect(failure).to_contain_text("What is shown was read at")
    expect(page.locator("#legend")).to_contain_text("merged")
    site.status, site.data = 200, healthy
    expect(failure).to_be_hidden(timeout=10_000)


def test_before_anything_could_be_read_the_page_says_so(visit: Visit, site: Site) -> None:
    """No map, no reassuring zero."""
    site.status, site.data = 503, {"error": "run `gti-mesh provision`"}
    page = visit(ready="#failure:not([hidden])")
    expect(page.get_by_role("heading", level=1)).to_have_text("The ledger cannot be read")
    expect(page.locator("#panel")).to_be_hidden()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [(mesh_data({}), "Nothing has been asked for yet"), (mesh_data(), "No feed is switched on")],
    ids=["no data", "no feed"],
)
def test_an_empty_mesh_is_called_empty(visit: Visit, site: Site, data: dict[str, object], sentence: str) -> None:
    """Not healthy, not broken: nothing has happened yet."""
    site.data = data
    page = visit(ready="#dead p")
    expect(page.get_by_role("heading", level=1)).to_have_text(sentence)


def test_looking_changes_nothing(visit: Visit, site: Site) -> None:
    """The page asks for itself and its data, by GET, and for nothing anywhere else."""
    site.data = bad_day()
    page = visit()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    for button in page.get_by_role("button").all():
        button.click()
    assert set(site.asked) == {"GET /", "GET /data.json"}
    assert all(url.startswith(site.url) for url in requests)


# Every visible element with text of its own: the text, its colour, and the colour behind it.
TEXTS = """() => {
  const says = (one) => [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  const behind = (one) => {
    const colour = getComputedStyle(one).backgroundColor;
    return colour === "rgba(0, 0, 0, 0)" ? behind(one.parentElement) : colour;
  };
  return [...document.querySelectorAll("body *")]
    .filter((one) => one.checkVisibility() && says(one))
    .map((one) => [one.textContent.slice(0, 40), getComputedStyle(one).color, behind(one)]);
}"""


def channel(value: float) -> float:
    """Return a colour channel as WCAG 2 weighs it."""
    share = value / 255
    return share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as browsers write them (WCAG 2, 1.4.3)."""
    lights = []
    for colour in (one, other):
        red, green, blue = (channel(float(part)) for part in re.findall(r"[\d.]+", colour)[:3])
        lights.append(0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)
    return max(lights) / min(lights)


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_everybody_can_use_it(visit: Visit, site: Site, scheme: str, width: int) -> None:
    """On a feed's tab and on a stream's, axe finds nothing."""
    site.data = bad_day()
    page = visit(color_scheme=scheme, viewport={"width": width, "height": 900})
    for tab in ("domains", "ioc_stream"):
        page.get_by_role("tab", name=tab).click()
        assert_usable(page)


def assert_usable(page: Page) -> None:
    """Ask axe; the contrasts that it leaves undecided are computed: 4.5 at least, like all others."""
    found = Axe().run(page).response
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]] == []
    assert {one["id"] for one in found["incomplete"]} <= {"color-contrast"}
    texts = page.evaluate(TEXTS)
    assert len(texts) > 30
    assert [text for text, colour, behind in texts if contrast(colour, behind) < 4.5] == []
    for control in page.locator("button:visible, [tabindex='0']:visible").all():
        assert control.get_attribute("aria-label") or control.inner_text().strip()
