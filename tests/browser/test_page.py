"""What an operator sees on the page, and what the page must never do."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from shared.operations.coverage import Cell
from shared.operations.feed_conditions import FeedCondition
from shared.operations.open_dead_letters import DeadLetterRecord
from shared.operations.stream_log import StreamLog
from shared.streams.delivery_progress import Delivery
from shared.streams.landing_log import hour_of
from tests.browser.conftest import (
    FEEDS,
    HOSTILE,
    NEWEST,
    NOW,
    Site,
    Visit,
    forwarded_week,
    hour,
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
    """Return a feed with three consecutive dead minutes with a hostile reason, and a letter without a minute."""
    week = merged_week()
    for number in range(3):
        minute = DAY_AGO + timedelta(minutes=number)
        week[minute] = Cell(minute, "dead", NOW, reason=HOSTILE, attempts=100)
    reason = f"the message cannot be read: {HOSTILE}"
    dead = DeadLetterRecord("17", None, None, reason, 1, "downloader", NOW, None, error_type="invalid_message")
    return mesh_data(week, merged_week(), dead_letters=(dead,), logs=(bad_stream(),))


def bad_stream() -> StreamLog:
    """Return a stream with a page that SecOps refused, two overdue pages, and one that has just landed."""
    hours_ago = NOW - timedelta(hours=2)
    return stream_week(
        logged(160, hours_ago, Delivery(items=40, done=10, accepted=10, requests=1, reason=f"SecOps said {HOSTILE}")),
        logged(161, hours_ago, Delivery(items=40)),
        logged(162, hours_ago, Delivery(items=40)),
        logged(163, NOW - timedelta(minutes=3), Delivery(items=7)),
    )


def measured(page: Page) -> dict[str, float]:
    """Return the page's own measurements in milliseconds."""
    entries = page.evaluate("performance.getEntriesByType('measure').map(({name, duration}) => [name, duration])")
    return dict(entries)


def test_a_healthy_mesh_is_one_sentence(visit: Visit) -> None:
    """The first heading says that nothing is missing, and the lists agree."""
    page = visit()
    expect(page.get_by_role("heading", level=1)).to_have_text("Every minute is accounted for")
    expect(page.locator("#gaps")).to_contain_text("No gap")
    expect(page.locator("#dead")).to_contain_text("No dead letter needs a person")
    expect(page.locator("#waiting")).to_contain_text(re.compile("downloader.*12.*2 minutes", re.DOTALL))


def test_every_gap_and_dead_letter_has_its_command(visit: Visit, site: Site) -> None:
    """Each problem has its reason and its command; the button copies exactly the command to the clipboard."""
    site.data = bad_day()
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    expect(page.get_by_role("heading", level=1)).to_have_text("3 minutes, 2 pages, and 1 dead letter need a hand")
    expect(page.locator("#gaps code")).to_have_text(REPLAY)
    expect(page.locator("#dead code")).to_have_text("gti-mesh dead discard 17")
    page.get_by_role("button", name=f"Copy the command {REPLAY}").click()
    expect(page.locator("#spoken")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == REPLAY


def test_a_letter_says_what_it_is_about(visit: Visit, site: Site) -> None:
    """A letter is described by its stream's page, by its minute, or as unreadable."""
    uri = "gs://landing/streams/ioc_stream/pages/0000000003.json"
    page_letter = DeadLetterRecord("18", None, None, "400: refused", 1, "secops-import", NOW, None, uri=uri)
    unread = DeadLetterRecord("17", None, None, "the message cannot be read", 1, "downloader", NOW, None)
    site.data = mesh_data(merged_week(), merged_week(), dead_letters=(page_letter, unread))
    headings = visit().locator("#dead b")
    expect(headings).to_have_text(["ioc_stream, 1 page", "A message names no minute"])


def test_a_strangers_reason_turns_nothing_round(visit: Visit, site: Site) -> None:
    """Control characters and characters that reverse or hide text are shown as such."""
    week = merged_week()
    week[DAY_AGO] = Cell(DAY_AGO, "dead", NOW, reason="a\u202eb\x1b[2Jc\u200bd\ne", attempts=1)
    site.data = mesh_data(week, merged_week())
    page = visit()
    expect(page.locator("#gaps .reason")).to_have_text("a\\u{202e}b\\u{1b}[2Jc\\u{200b}d\\u{a}e")


def test_a_strangers_reason_is_only_ever_text(visit: Visit, site: Site) -> None:
    """Markup in a reason is shown as text, in the lists and on the map, and never executed."""
    site.data = bad_day()
    page = visit()
    expect(page.locator("#gaps .reason")).to_have_text(HOSTILE)
    expect(page.locator("#dead .reason")).to_have_text(f"the message cannot be read: {HOSTILE}")
    page.locator("#gaps").get_by_role("button", name="Show").click()
    expect(page.locator("#readout")).to_contain_text(HOSTILE)
    assert page.locator("main img").count() == 0
    assert "owned" not in page.title()


def test_the_keyboard_reads_every_minute(visit: Visit, site: Site) -> None:
    """The cursor starts at the newest problem, moves by minute, row and day, and its position is announced."""
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
    """The readout describes the cell under the pointer."""
    site.data = bad_day()
    page = visit()
    box = page.locator("#map-cursor").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#readout")).to_contain_text(f"{DAY_AGO:%H:%M} UTC · dead")


def test_a_stream_has_a_tab_of_its_own(visit: Visit, site: Site) -> None:
    """A stream's tab has its figures, its undelivered pages with a command each, and no map of minutes."""
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


def test_a_feed_that_goes_to_secops_has_a_second_tab(visit: Visit, site: Site) -> None:
    """Its hours are named as hours, with the command for those that are not delivered."""
    waiting = [hour(ago, Delivery(items=30)) for ago in (5, 4)]
    site.data = mesh_data(logs=(forwarded_week(*waiting),))
    page = visit(ready="#pages li")
    page.get_by_role("tab", name="threat_lists to SecOps").click()
    panel = page.get_by_role("tabpanel", name="threat_lists to SecOps")
    for figure in ("elements4,110", "hours162 delivered, 2 waiting", "newest hour"):
        expect(panel).to_contain_text(figure)
    first, last = (f"{hour_of(one.sequence):%Y-%m-%dT%H:%MZ}" for one in waiting)
    expect(page.locator("#pages code")).to_have_text(f"gti-mesh secops replay threat_lists {first} {last}")
    expect(page.locator("#pages b")).to_have_text(re.compile(r"^Hours .*:00 to .*:00$"))
    expect(page.locator("#chart svg")).to_have_attribute("aria-label", re.compile("4,110 in all"))


def test_a_mesh_that_only_forwards_streams_is_whole_too(visit: Visit, site: Site) -> None:
    """A mesh without feeds shows its streams."""
    site.data = mesh_data(logs=(stream_week(),))
    page = visit(ready="#pages p")
    expect(page.get_by_role("heading", level=1)).to_have_text("Every notification is accounted for")
    expect(page.locator("#pages")).to_contain_text("Every page of these days is delivered")


@pytest.mark.parametrize("width", [390, 700, 1280])
def test_five_feeds_of_a_week_are_drawn_and_measured(visit: Visit, site: Site, width: int) -> None:
    """Five feeds of 10,080 cells are drawn without horizontal overflow, and the page measures each map."""
    site.data = mesh_data(*[merged_week()] * len(FEEDS))
    page = visit(viewport={"width": width, "height": 900})
    for tab in page.get_by_role("tab").all():
        tab.click()
    took = measured(page)
    assert {name for name in took if name.startswith("map ")} == {f"map {feed}" for feed in FEEDS}
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_tabs_are_moved_through_by_arrow_keys(visit: Visit, site: Site) -> None:
    """Arrow keys move between tabs; the selected one shows its feed, and its address restores it."""
    site.data = mesh_data(merged_week(), merged_week())
    page = visit()
    page.get_by_role("tab", name="domains").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="files")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("grid")).to_have_attribute("aria-label", re.compile("files"))
    assert page.url.endswith("#files")


def test_home_and_end_go_to_the_first_and_last_tab(visit: Visit, site: Site) -> None:
    """Home and End select the first and last tab, as in every tab list."""
    site.data = mesh_data(merged_week(), merged_week(), merged_week())
    page = visit()
    page.get_by_role("tab", name="domains").focus()
    page.keyboard.press("End")
    expect(page.get_by_role("tab", name="urls")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Home")
    expect(page.get_by_role("tab", name="domains")).to_have_attribute("aria-selected", "true")


def test_a_bad_fragment_is_ignored(visit: Visit, site: Site) -> None:
    """An invalid fragment of the address is ignored; it may be truncated or typed."""
    site.url += "#%E0%A4%A"
    page = visit()
    expect(page.get_by_role("heading", level=1)).to_have_text("Every minute is accounted for")


@pytest.mark.parametrize(("width", "above"), [(390, True), (1280, False)])
def test_gaps_are_above_the_map_on_a_phone(visit: Visit, site: Site, width: int, above: bool) -> None:
    """On a phone gaps come before the map, which takes several screens."""
    site.data = bad_day()
    page = visit(viewport={"width": width, "height": 900})
    gaps, coverage = (page.locator(place).bounding_box() for place in ("#gaps-part", "#coverage"))
    assert gaps
    assert coverage
    assert (gaps["y"] < coverage["y"]) is above


def test_problems_of_one_kind_are_one_card(visit: Visit, site: Site) -> None:
    """Problems of one kind are one card with the newest ranges, each of which the map can show, and one command."""
    week = merged_week()
    for number in range(0, 60, 2):
        minute = DAY_AGO + timedelta(minutes=number)
        week[minute] = Cell(minute, "dead", NOW, reason=f"package {minute:%Y%m%d%H%M}: 403", attempts=3)
    site.data = mesh_data(week)
    page = visit()
    expect(page.locator("#gaps li")).to_have_count(1)
    expect(page.locator("#gaps li")).to_contain_text("30 ranges")
    expect(page.locator("#gaps li")).to_contain_text("and 10 earlier ones")
    expect(page.locator("#gaps code")).to_have_text("gti-mesh replay domains --gaps")
    newest = DAY_AGO + timedelta(minutes=58)
    page.locator("#gaps .ranges button").last.click()
    expect(page.locator("#readout")).to_contain_text(f"{newest:%H:%M} UTC · dead")
    expect(page.locator("#readout")).to_contain_text(f"package {newest:%Y%m%d%H%M}: 403 (3 deliveries)")


def test_a_condition_of_a_stream_is_named_with_its_tab(visit: Visit, site: Site) -> None:
    """A refused destination or key is one problem, however much waits for it."""
    refused = FeedCondition(error_type="misconfigured", reason="403: give the permission", since=NOW)
    site.data = mesh_data(merged_week(), logs=(replace(stream_week(), condition=refused),))
    page = visit()
    expect(page.get_by_role("heading", level=1)).to_have_text("ioc_stream needs a look")
    page.get_by_role("tab", name="ioc_stream").click()
    expect(page.locator("#conditions")).to_contain_text("403: give the permission")
    expect(page.locator("#figures")).to_contain_text("misconfigured, since")


def test_minutes_that_were_not_requested_differ_from_those_not_due(visit: Visit, site: Site) -> None:
    """Minutes that were not requested differ from those that are not due; both have no state."""
    site.data = mesh_data({minute: cell for minute, cell in merged_week().items() if minute > DAY_AGO})
    page = visit()
    cursor = page.get_by_role("gridcell")
    cursor.focus()
    for _ in range(2):
        page.keyboard.press("PageUp")
    expect(cursor).to_have_attribute("aria-label", re.compile("not asked for"))


def test_the_pulse_says_when_reading_has_ended(visit: Visit, site: Site) -> None:
    """The pulse shows that a reading is old by the server's clock, as when the service hangs on a query."""
    site.data = mesh_data(merged_week(), seconds=1)
    site.read_at = NOW - timedelta(minutes=10)
    page = visit()
    expect(page.locator("#pulse.late")).to_be_attached()
    expect(page.locator("#read")).to_contain_text("not read since")


def test_the_page_follows_the_mesh_without_a_reload(visit: Visit, site: Site) -> None:
    """A problem appears with the next poll, without a reload."""
    site.data = mesh_data(merged_week(), seconds=1)
    page = visit()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Every minute is accounted for")
    site.data = bad_day()
    expect(heading).to_have_text("3 minutes, 2 pages, and 1 dead letter need a hand")


def test_what_cannot_be_read_is_said_beside_what_was(visit: Visit, site: Site) -> None:
    """During an error the last reading remains with its time; the error says what to do, and disappears afterwards."""
    healthy = mesh_data(merged_week(), seconds=1)
    site.data = healthy
    page = visit()
    site.status, site.data = 503, {"error": f"no dataset {HOSTILE}; run `gti-mesh provision`"}
    failure = page.get_by_role("alert")
    expect(failure).to_contain_text("run `gti-mesh provision`")
    expect(failure).to_contain_text("What is shown was read at")
    expect(page.locator("#legend")).to_contain_text("merged")
    site.status, site.data = 200, healthy
    expect(failure).to_be_hidden()


def test_before_anything_could_be_read_the_page_says_so(visit: Visit, site: Site) -> None:
    """Before the first reading the page says that it has no data, without a map and without zeros."""
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
    """An empty mesh is shown as empty, neither healthy nor degraded."""
    site.data = data
    page = visit(ready="#dead p")
    expect(page.get_by_role("heading", level=1)).to_have_text(sentence)


def test_looking_changes_nothing(visit: Visit, site: Site) -> None:
    """The page sends only GET requests, for itself and its data."""
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
    """Return a colour channel as WCAG 2 weights it."""
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
    """axe finds no violation on a feed's tab or on a stream's."""
    site.data = bad_day()
    page = visit(color_scheme=scheme, viewport={"width": width, "height": 900})
    for tab in ("domains", "ioc_stream"):
        page.get_by_role("tab", name=tab).click()
        assert_usable(page)


def assert_usable(page: Page) -> None:
    """Run axe, and compute the contrasts that it cannot decide: each must be at least 4.5."""
    found = Axe().run(page).response
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]] == []
    assert {one["id"] for one in found["incomplete"]} <= {"color-contrast"}
    texts = page.evaluate(TEXTS)
    assert len(texts) > 30
    assert [text for text, colour, behind in texts if contrast(colour, behind) < 4.5] == []
    for control in page.locator("button:visible, [tabindex='0']:visible").all():
        assert control.get_attribute("aria-label") or control.inner_text().strip()
