"""The status page without a browser: its data, how often the mesh is read for it, and what its document allows."""

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

from services.console.coverage import Cell, Coverage
from services.console.dead import Death, remedy
from services.console.feeds import feed_status
from services.console.page.document import document
from services.console.page.reading import Reading, Readings
from services.console.page.shape import MINUTES, shape
from services.console.status import MeshStatus
from shared.envelope import Delivery, PushedMessage, read_message
from shared.messages import minute_requested
from shared.minutes import last_due
from shared.outcomes import Misconfigured, Poison
from tests.doubles import NOON, Clock

HOSTILE = "</script><img src=x onerror=alert(1)>"
NEWEST = last_due(NOON)


def death(message_id: str = "17", minute: datetime | None = NEWEST, reason: str = HOSTILE) -> Death:
    """Return a dead letter."""
    return Death(message_id, "domains", minute, reason, 100, "downloader", NOON, None)


def shaped(*cells: Cell, deaths: tuple[Death, ...] = ()) -> dict[str, Any]:
    """Return the page's data for one feed, as a browser gets it."""
    coverage = Coverage("domains", cells, NEWEST)
    status = MeshStatus(NOON, [feed_status(coverage, NOON)], (), deaths)
    data: dict[str, Any] = orjson.loads(orjson.dumps(shape(status, [coverage], seconds=10)))
    return data


def test_a_minute_is_a_letter_and_a_capital_is_trouble() -> None:
    """Seven days of letters; facts stand at the minute's number, and what nobody asked for is a dot."""
    job = f"gti-mesh-domains-{NEWEST:%Y%m%d%H%M}-0af76519-1"
    data = shaped(
        Cell(NEWEST - timedelta(hours=2)),
        Cell(NEWEST - timedelta(minutes=1), "dead", NOON, reason=HOSTILE, attempts=3),
        Cell(NEWEST, "merged", NOON, lines=60, rejected=1, job_id=job),
    )
    [feed] = data["feeds"]
    assert len(feed["cells"]) == len(feed["lines"]) == MINUTES
    assert feed["cells"].rstrip(".")[-2:] == "Xm"
    assert feed["cells"].strip(".") == "D" + "." * 118 + "Xm"
    newest = len(feed["cells"].rstrip(".")) - 1
    assert (feed["lines"][newest], feed["rejected"][newest], feed["job"][newest]) == (60, 1, "-0af76519-1")
    assert feed["at"][newest] == NOON.timestamp()
    assert feed["said"] == {str(newest - 1): {"reason": HOSTILE, "attempts": 3}}
    assert [gap["remedy"] for gap in feed["gaps"]] == [
        "gti-mesh replay domains 2026-11-21T08:59Z 2026-11-21T08:59Z",
        "gti-mesh replay domains 2026-11-21T10:58Z 2026-11-21T10:58Z",
    ]


def test_an_empty_mesh_has_a_shape() -> None:
    """Before the first plan there are dots and nothing else."""
    [feed] = shaped()["feeds"]
    assert set(feed["cells"]) == {"."}
    assert (feed["gaps"], feed["last_merged"]) == ([], None)


def test_letters_of_one_reason_are_one_card() -> None:
    """With one command for all of them, which names as many as a line can."""
    data = shaped(deaths=tuple(death(str(number)) for number in range(25)))
    first, second = data["dead_letters"]
    assert first["remedy"] == "gti-mesh dead redrive " + " ".join(str(number) for number in range(20))
    assert second["ids"] == ["20", "21", "22", "23", "24"]


def test_letters_about_pages_name_their_stream() -> None:
    """They have neither feed nor minute; those of another stream are another card."""
    uri = "gs://landing/streams/{}/pages/0000000003.json"
    streams = ("ioc_stream", "ioc_stream", "stream_2")
    letters = [replace(death(str(n), None), feed=None, uri=uri.format(stream)) for n, stream in enumerate(streams)]
    cards = shaped(deaths=tuple(letters))["dead_letters"]
    assert [(card["stream"], len(card["ids"])) for card in cards] == [("ioc_stream", 2), ("stream_2", 1)]


@pytest.mark.parametrize("data", [b"", b"{", b'{"feed": "domains"}'])
def test_what_cannot_be_read_can_only_be_discarded(data: bytes) -> None:
    """Handed back, it would never succeed; a page of a stream names no minute either, and can."""
    delivery = Delivery(message=PushedMessage(data=base64.b64encode(data).decode(), message_id="1"), subscription="s")
    with pytest.raises(Poison) as poison:
        read_message(minute_requested, delivery)
    assert remedy([death(minute=None, reason=poison.value.reason)]) == "gti-mesh dead discard 17"
    assert remedy([death(minute=None, reason="attempts spent: 100 deliveries by secops-import")]) == (
        "gti-mesh dead redrive 17"
    )


@given(st.text(max_size=40))
def test_a_command_to_copy_holds_nothing_of_a_strangers(message_id: str) -> None:
    """An id is whatever a publisher wrote; what a shell would read from the command is what is meant."""
    words = shlex.split(remedy([death(message_id)]))
    assert words in (["gti-mesh", "dead", "redrive", message_id], ["gti-mesh", "dead", "list"])
    assert remedy([death(message_id)]).isprintable()


def test_many_viewers_are_one_reading() -> None:
    """Within its seconds a reading serves everybody; afterwards the mesh is read once more."""
    clock, numbers = Clock(), count(1)
    readings = Readings(lambda: next(numbers), seconds=10, clock=lambda: clock().timestamp())
    assert [readings.latest().body for _ in range(5)] == [b"1"] * 5
    clock.advance(seconds=10)
    assert [readings.latest().body for _ in range(5)] == [b"2"] * 5


def test_while_one_reads_the_others_see_what_was_read_before() -> None:
    """A slow query holds up the one who started it, and nobody else."""
    clock, started, go_on = Clock(), Event(), Event()
    bodies = iter([1, 2])

    def read() -> int:
        body = next(bodies)
        if body == 2:
            started.set()
            go_on.wait(5)
        return body

    readings = Readings(read, seconds=10, clock=lambda: clock().timestamp())
    readings.latest()
    clock.advance(seconds=11)
    slow = Thread(target=readings.latest)
    slow.start()
    assert started.wait(5)
    assert readings.latest().body == b"1"
    go_on.set()
    slow.join(5)
    assert readings.latest().body == b"2"


@pytest.mark.parametrize(
    ("error", "text"),
    [(Misconfigured("run `gti-mesh provision`"), "gti-mesh provision"), (KeyError("secret"), "unexpected KeyError")],
)
def test_a_failed_reading_says_why_and_is_not_repeated_for_everybody(error: Exception, text: str) -> None:
    """503 with what this project says of it; what it does not know stays in the log."""
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
    """Whenever it was read."""
    assert Reading(b"{}", NOON).etag == Reading(b"{}", NOON + timedelta(hours=1)).etag != Reading(b"[]", NOON).etag


def test_the_policy_allows_the_documents_own_style_and_script_and_no_others() -> None:
    """Both hashes are those of what stands in the document, and nothing is loaded from elsewhere."""
    page = document()
    for kind, tag in (("style", "style"), ("script", 'script type="module"')):
        [content] = re.findall(rf"<{tag}>(.*?)</{kind}>", page.html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in page.policy
    assert page.policy.startswith("default-src 'none'; ")
    assert not re.search(r"""(src|href)=["'](?!data:)""", page.html)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", page.html)
