"""The doctor's resources are removed in every case."""

import pytest

from infra.doctor.scratch import Scratch
from shared.contracts.outcomes import Misconfigured


def test_names_are_new_each_time() -> None:
    """Two runs never share a resource, and a dataset's name has no hyphen."""
    assert Scratch().name != Scratch().name
    assert "-" not in Scratch().dataset


def test_everything_is_removed_after_an_interruption_the_newest_first() -> None:
    """After Ctrl-C in the middle of a check nothing remains."""
    removed: list[str] = []

    def interrupted() -> None:
        with Scratch() as scratch:
            scratch.remove_later("topic", lambda: removed.append("topic"))
            scratch.remove_later("subscription", lambda: removed.append("subscription"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert removed == ["subscription", "topic"]


def test_a_refused_removal_is_noted_and_stops_no_other() -> None:
    """A refused removal is reported with the reason, and the others continue."""
    removed: list[str] = []

    def refuse() -> None:
        raise Misconfigured("denied")

    with Scratch() as scratch:
        scratch.remove_later("topic", lambda: removed.append("topic"))
        scratch.remove_later("dataset", refuse)
    assert (removed, scratch.left) == (["topic"], ["dataset: denied"])
