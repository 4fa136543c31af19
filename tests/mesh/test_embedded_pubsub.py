"""The mesh on the embedded Pub/Sub: the backlog survives the end of the server and of the mesh."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.mesh import LocalMesh
from infra.local.orphan_reaper import signal_group
from infra.local.prerequisites import PubSub
from tests.mesh.recording_topology import recorded, recording_topology
from tests.support.pubsub import publish
from tests.support.pubsub_control import PubSubControl
from tests.support.waiting import wait_until

MESSAGES = 200


@contextmanager
def mesh(folder: Path) -> Iterator[LocalMesh]:
    """Run a mesh of fake services on a folder that is kept."""
    with LocalMesh(
        state=folder / "state",
        topology=recording_topology(only=("downloader", "loader-dead")),
        settings={"REQUEST_RECORD": str(folder / "record")},
        schedules=False,
        pubsub=PubSub.EMBEDDED,
    ) as running:
        yield running


def published(running: LocalMesh) -> set[str]:
    """Publish requests to a downloader that is not running."""
    texts = {f"minute {number}" for number in range(MESSAGES)}
    for text in texts:
        publish(running.endpoints, "feed-minutes", text.encode(), feed="domains")
    return texts


def arrived(folder: Path) -> set[str]:
    """Return the messages that reached the downloader."""
    return {seen["body"] for seen in recorded(folder / "record", "downloader")}


def test_a_backlog_survives_kill_9_of_its_server(tmp_path: Path) -> None:
    """The backlog is complete after kill -9, and is delivered once the subscriber is back."""
    with mesh(tmp_path) as running:
        running.stop_part("downloader")
        texts = published(running)
        running.kill("pubsub")
        running.start_part("pubsub")
        waiting = PubSubControl(str(running.endpoints.pubsub_control)).backlog()
        assert waiting["projects/gti-mesh-local/subscriptions/downloader"].messages == MESSAGES
        running.start_part("downloader")
        wait_until(lambda: arrived(tmp_path) >= texts, "every message that waited")


def test_a_mesh_goes_on_with_the_backlog_it_stopped_with(tmp_path: Path) -> None:
    """The next mesh on the folder has other ports, and delivers the remaining messages to its own services."""
    with mesh(tmp_path) as first:
        first.stop_part("downloader")
        texts = published(first)
        # Not even an orderly stop is needed.
        signal_group(first.pids["pubsub"], signal.SIGKILL)
    assert arrived(tmp_path) == set()
    with mesh(tmp_path):
        wait_until(lambda: arrived(tmp_path) >= texts, "every message that waited")
