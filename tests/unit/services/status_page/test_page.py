"""The status page without a browser: its data, how often it reads the mesh, and its content security policy."""

import base64
import hashlib
import re
import shlex
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from threading import Event, Thread
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.status_page.document import document
from services.status_page.reading import Reading, Readings
from services.status_page.shape import MINUTES, shape
from shared.contracts.messages import minute_requested
from shared.contracts.minutes import last_due
from shared.contracts.outcomes import Misconfigured, Poison
from shared.contracts.push_envelope import Delivery, PushedMessage, read_message
from shared.operations.coverage import Cell, Coverage
from shared.operations.feed_status import feed_status
from shared.operations.open_dead_letters import DeadLetterRecord, remedy
from shared.operations.problems import Problem
from shared.operations.status import MeshStatus
from tests.support.doubles import NOON, Clock
from tests.support.waiting import PATIENCE

HOSTILE = "</script><img src=x onerror=alert(1)>"
NEWEST = last_due(NOON)


def dead_letter(message_id: str = "17", minute: datetime | None = NEWEST, reason: str = HOSTILE) -> DeadLetterRecord:
    """Return a dead letter."""
    return DeadLetterRecord(message_id, "domains", minute, reason, 100, "downloader", NOON, None)


def shaped(*cells: Cell, dead_letters: tuple[DeadLetterRecord, ...] = ()) -> dict[str, Any]:
    """Return the page's data for one feed, as a browser gets it."""
    coverage = Coverage("domains", cells, NEWEST)
    status = MeshStatus(NOON, [feed_status(coverage, NOON)], (), dead_letters)
    data: dict[str, Any] = orjson.loads(orjson.dumps(shape(status, [coverage], seconds=10)))
    return data


def test_a_minute_is_a_letter_and_a_capital_is_trouble() -> None:
    """A minute is one letter in a string of seven days, and facts are at its number.

    Unrequested differs from not due.
    """
    job = f"gti-mesh-domains-{NEWEST:%Y%m%d%H%M}-0af76519-1"
    data = shaped(
        Cell(NEWEST - timedelta(hours=2)),
        Cell(NEWEST - timedelta(minutes=1), "dead", NOON, reason=HOSTILE, attempts=3, error_type="unknown"),
        Cell(NEWEST, "merged", NOON, lines=60, rejected=1, job_id=job),
    )
    [feed] = data["feeds"]
    assert len(feed["cells"]) == len(feed["lines"]) == MINUTES
    assert feed["cells"].rstrip(".")[-2:] == "Xm"
    assert feed["cells"].strip(".").lstrip("-") == "D" + "-" * 118 + "Xm"
    newest = len(feed["cells"].rstrip(".")) - 1
    assert (feed["lines"][newest], feed["rejected"][newest], feed["job"][newest]) == (60, 1, "-0af76519-1")
    assert feed["at"][newest] == 61 * 60
    assert feed["dead_minutes"] == {str(newest - 1): [0, 3]}
    assert feed["reasons"] == [{"error_type": "unknown", "reason": HOSTILE}]
    assert [gap["remedy"] for gap in feed["gaps"]] == [
        "gti-mesh replay domains 2026-11-21T08:59Z 2026-11-21T08:59Z",
        "gti-mesh replay domains 2026-11-21T10:58Z 2026-11-21T10:58Z",
    ]


def test_an_empty_mesh_has_a_shape() -> None:
    """Before the first plan no minute is requested, which differs from not due."""
    [feed] = shaped()["feeds"]
    assert re.fullmatch(r"-+\.{60,61}", feed["cells"])
    assert (feed["gaps"], feed["last_merged"]) == ([], None)


def test_letters_of_one_kind_are_one_card() -> None:
    """Letters of one kind are one card with one command: by id, or by type if there are too many."""
    older = NEWEST - timedelta(days=20)
    few, many = (
        [dead_letter(str(number), older, f"reason of {number}") for number in range(count)] for count in (20, 21)
    )
    [card] = shaped(dead_letters=tuple(few))["dead_letters"]
    assert card["remedy"] == "gti-mesh dead redrive " + " ".join(str(number) for number in range(20))
    [card] = shaped(dead_letters=tuple(many))["dead_letters"]
    assert (card["count"], card["remedy"]) == (21, "gti-mesh dead redrive --type unknown")
    assert card["ids"] == [str(number) for number in range(20)]


def test_a_letter_of_a_dead_minute_is_no_second_trouble() -> None:
    """A dead minute's gap has the remedy, and the page only counts its letters."""
    data = shaped(Cell(NEWEST, "dead", NOON), dead_letters=(dead_letter(),))
    assert (data["dead_letters"], data["letters_without_gap"], data["letters_in_gaps"]) == ([], 0, 1)
    [gap] = data["feeds"][0]["gaps"]
    assert gap["remedy"] == "gti-mesh replay domains 2026-11-21T10:59Z 2026-11-21T10:59Z"


def test_letters_of_minutes_that_have_come_are_no_problem_and_have_a_command() -> None:
    """Letters of minutes that have arrived are counted with a command, since the alarm on Pub/Sub counts them."""
    status = MeshStatus(NOON, [], (), (), resolved=2)
    data = shape(status, [], seconds=10)
    assert (data["resolved"], data["problems"]) == (
        {
            "text": "2 dead letters are still in Pub/Sub although their minutes have come",
            "remedy": "gti-mesh dead discard --resolved",
        },
        [],
    )
    assert status.report()["resolved_dead_letters"] == 2


def test_gaps_of_one_kind_are_one_card() -> None:
    """Gaps of one kind are one card with one command, the newest ranges, and one text for reasons that name minutes."""
    minutes = [NEWEST - timedelta(minutes=2 * number) for number in range(30)]
    cells = [
        Cell(m, "dead", NOON, reason=f"package {m:%Y%m%d%H%M}: 403", attempts=3, error_type="request_refused")
        for m in reversed(minutes)
    ]
    [feed] = shaped(*cells)["feeds"]
    [kind] = feed["gaps"]
    assert (kind["minutes"], kind["ranges"], len(kind["shown"])) == (30, 30, 20)
    assert kind["remedy"] == "gti-mesh replay domains --gaps"
    assert feed["reasons"] == [{"error_type": "request_refused", "reason": "package \0m: 403"}]
    assert set(map(tuple, feed["dead_minutes"].values())) == {(0, 3)}


def test_a_minute_ahead_of_the_clock_hides_no_other() -> None:
    """A minute ahead of the clock hides no other; the clock of the ledger's writer may be ahead."""
    [feed] = shaped(Cell(NEWEST, "merged", NOON), Cell(NEWEST + timedelta(days=3), "landed", NOON))["feeds"]
    assert len(feed["cells"]) == MINUTES
    assert feed["cells"].strip("-.") == "m"


def test_commands_name_the_folder_of_their_mesh() -> None:
    """In every problem and on every card, commands name the folder if they would not find it by default."""
    coverage = Coverage(
        "domains", (Cell(NEWEST, "dead", NOON),), NEWEST, problems=(Problem("stopped", "gti-mesh plan"),)
    )
    letter = dead_letter(minute=NEWEST - timedelta(days=20))
    status = MeshStatus(NOON, [feed_status(coverage, NOON)], (), (letter,), state="/srv/my mesh")
    data: dict[str, Any] = orjson.loads(orjson.dumps(shape(status, [coverage], seconds=10)))
    [feed], [card] = data["feeds"], data["dead_letters"]
    commands = [feed["conditions"][0]["remedy"], feed["gaps"][0]["remedy"], card["remedy"], *status.problems()]
    assert len(commands) == 6
    assert all(command.endswith(" --state '/srv/my mesh'") for command in commands)


def test_letters_about_pages_name_their_stream() -> None:
    """They have neither feed nor minute; those of another stream are a separate card."""
    uri = "gs://landing/streams/{}/pages/0000000003.json"
    streams = ("ioc_stream", "ioc_stream", "stream_2")
    letters = [
        replace(dead_letter(str(n), None), feed=None, uri=uri.format(stream)) for n, stream in enumerate(streams)
    ]
    cards = shaped(dead_letters=tuple(letters))["dead_letters"]
    assert [(card["stream"], len(card["ids"])) for card in cards] == [("ioc_stream", 2), ("stream_2", 1)]


@pytest.mark.parametrize("data", [b"", b"{", b'{"feed": "domains"}'])
def test_what_cannot_be_read_can_only_be_discarded(data: bytes) -> None:
    """An unreadable message would never succeed if redriven; a page of a stream has no minute either, but can."""
    delivery = Delivery(message=PushedMessage(data=base64.b64encode(data).decode(), message_id="1"), subscription="s")
    with pytest.raises(Poison) as poison:
        read_message(minute_requested, delivery)
    letter = dead_letter(minute=None)
    assert remedy([replace(letter, error_type=poison.value.error_type)]) == "gti-mesh dead discard 17"
    assert remedy([replace(letter, error_type="attempts_spent")]) == "gti-mesh dead redrive 17"


@given(st.text(max_size=40))
def test_a_command_to_copy_holds_nothing_of_a_strangers(message_id: str) -> None:
    """A publisher can choose any id; the command quotes it for the shell."""
    words = shlex.split(remedy([dead_letter(message_id)]))
    assert words in (["gti-mesh", "dead", "redrive", message_id], ["gti-mesh", "dead", "list"])
    assert remedy([dead_letter(message_id)]).isprintable()


def test_many_viewers_are_one_reading() -> None:
    """All viewers share a reading for its seconds; then the mesh is read again."""
    clock, numbers = Clock(), count(1)
    readings = Readings(lambda: next(numbers), seconds=10, clock=lambda: clock().timestamp())
    assert [readings.latest().body for _ in range(5)] == [b"1"] * 5
    clock.advance(seconds=10)
    assert [readings.latest().body for _ in range(5)] == [b"2"] * 5


def test_while_one_reads_the_others_see_what_was_read_before() -> None:
    """A slow query blocks only its caller."""
    clock, started, go_on = Clock(), Event(), Event()
    bodies = iter([1, 2])

    def read() -> int:
        body = next(bodies)
        if body == 2:
            started.set()
            go_on.wait(PATIENCE)
        return body

    readings = Readings(read, seconds=10, clock=lambda: clock().timestamp())
    readings.latest()
    clock.advance(seconds=11)
    slow = Thread(target=readings.latest)
    slow.start()
    assert started.wait(PATIENCE)
    assert readings.latest().body == b"1"
    go_on.set()
    slow.join(PATIENCE)
    assert readings.latest().body == b"2"


@pytest.mark.parametrize(
    ("error", "text"),
    [(Misconfigured("run `gti-mesh provision`"), "gti-mesh provision"), (KeyError("secret"), "unexpected KeyError")],
)
def test_a_failed_reading_says_why_and_is_not_repeated_for_everybody(error: Exception, text: str) -> None:
    """503 with this project's own errors; other errors are only logged."""
    calls = []

    def read() -> None:
        calls.append(1)
        raise error

    readings = Readings(read, seconds=10)
    found = [readings.latest() for _ in range(3)]
    assert {reading.status for reading in found} == {503}
    assert text in orjson.loads(found[0].body)["error"]
    assert b"secret" not in found[0].body
    assert len(calls) == 1


def test_equal_content_has_an_equal_tag() -> None:
    """The time of reading does not change the tag."""
    assert Reading(b"{}", NOON).etag == Reading(b"{}", NOON + timedelta(hours=1)).etag != Reading(b"[]", NOON).etag


def test_the_policy_allows_the_documents_own_style_and_script_and_no_others() -> None:
    """Both hashes are those of the document's parts, and nothing is loaded from elsewhere."""
    page = document()
    for kind, tag in (("style", "style"), ("script", 'script type="module"')):
        [content] = re.findall(rf"<{tag}>(.*?)</{kind}>", page.html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in page.policy
    assert page.policy.startswith("default-src 'none'; ")
    assert not re.search(r"""(src|href)=["'](?!data:)""", page.html)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", page.html)
