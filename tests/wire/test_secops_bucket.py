"""`gti-mesh secops` on a bucket without Pub/Sub, and on the bucket of a mesh."""

import logging
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from gti_mesh.main import app
from shared.contracts.outcomes import Misconfigured
from tests.support.secops import LOG_TYPE, RunningSecOps
from tests.wire.conftest import Open, Pull
from tests.wire.test_secops_forwarder import lists, on, poll

__all__ = ["lists", "on"]


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Restore the log handlers: the command's write to an output that ends with it."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def run(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, arguments)


def test_a_bucket_of_its_own_needs_no_pubsub(on: pytest.MonkeyPatch, pull: Pull, secops: RunningSecOps) -> None:
    """Forwarding, replay and dead letters work without Pub/Sub and detect that nothing is published there."""
    del on
    done = run("secops", "run", "--once")
    assert (done.exit_code, "7 new notifications" in done.stdout) == (0, True)
    assert run("secops", "replay", "ioc_stream", "1").exit_code == 0
    assert secops.control.stats().log_type(LOG_TYPE).logs == 7
    assert run("dead", "list").stdout == "no dead letters\n"
    assert not pull("ioc-pages")


def test_the_bucket_of_a_mesh_is_refused_unless_asked_for(
    on: pytest.MonkeyPatch, open_service: Open, secops: RunningSecOps
) -> None:
    """With the option, a page that the mesh has landed is delivered from here."""
    del on
    poll(open_service)
    refused = run("secops", "run", "--once").exception
    assert isinstance(refused, Misconfigured)
    assert "is the bucket of a mesh" in str(refused)
    assert secops.control.stats().request_count == 0
    assert run("secops", "run", "--once", "--with-mesh").exit_code == 0
