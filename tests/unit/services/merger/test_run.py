"""One run of the merger: all merges, then the folds that are due and fit into the time."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from services.merger.fold import Folder, FoldResult
from services.merger.merge import Merger, MergeResult
from services.merger.run import run
from services.merger.settings import MergerSettings
from shared.contracts.outcomes import Retryable
from shared.feeds.definition import Feed
from tests.support.doubles import Clock

FOLDED = FoldResult("2026-11-21T12:00:00Z", 5, 50)


class Merges(Merger):
    """Merges a line of each feed, or fails."""

    def __init__(self, steps: list[str], failing: Sequence[str] = (), takes: Callable[[], None] = lambda: None) -> None:
        self._steps = steps
        self._failing = failing
        self._takes = takes

    def merge(self, feed: Feed, *, turn: datetime, end: datetime) -> MergeResult:
        """Merge."""
        del turn, end
        self._steps.append(f"merge {feed.name}")
        self._takes()
        if feed.name in self._failing:
            raise Retryable("BigQuery: 503")
        return MergeResult(lines=1)


class Folds(Folder):
    """Folds the feeds that are due, or fails."""

    def __init__(
        self,
        steps: list[str],
        due: Sequence[str],
        failing: Sequence[str] = (),
        takes: Callable[[], None] = lambda: None,
    ) -> None:
        self._steps = steps
        self._due = due
        self._failing = failing
        self._takes = takes

    def is_due(self, feed: Feed, *, end: datetime) -> bool:
        """Return whether it is due."""
        del end
        self._takes()
        return feed.name in self._due

    def fold(self, feed: Feed, *, end: datetime, everything: bool = False) -> FoldResult:
        """Fold."""
        assert not everything
        self._steps.append(f"fold {feed.name}")
        if feed.name in self._failing:
            raise Retryable("BigQuery: Job timed out")
        return FOLDED


def answer(merger: Merger, folder: Folder, clock: Clock | None = None) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of a run over two feeds."""
    given = {"GCP_PROJECT": "p", "LANDING_BUCKET": "b", "FEEDS": ("domains", "files")}
    body, status, _ = run(MergerSettings.model_validate(given), merger, folder, now=clock or Clock())
    return status, json.loads(body)


def test_folds_come_after_all_merges() -> None:
    """Folds run after all merges; a feed that is not due is not in the response."""
    steps: list[str] = []
    status, body = answer(Merges(steps), Folds(steps, due=["files"]))
    assert sorted(steps[:2]) == ["merge domains", "merge files"]
    assert steps[2:] == ["fold files"]
    assert (status, body["domains"]["lines"], body["folds"]) == (200, 1, {"files": vars(FOLDED)})


def test_a_fold_that_fails_is_no_failure_of_the_run() -> None:
    """A failed fold is not an error of the run, which the schedule would repeat; the response has its error."""
    steps: list[str] = []
    status, body = answer(Merges(steps), Folds(steps, due=["domains", "files"], failing=["domains"]))
    assert status == 200
    assert body["folds"] == {"domains": {"error": "BigQuery: Job timed out"}, "files": vars(FOLDED)}


def test_a_merge_that_fails_is_a_500_and_folds_go_on() -> None:
    """A failed merge makes a 500, and folds still run, since recent does not depend on staging."""
    steps: list[str] = []
    status, body = answer(Merges(steps, failing=["files"]), Folds(steps, due=["files"]))
    assert (status, body["files"]) == (500, {"error": "BigQuery: 503"})
    assert "fold files" in steps


def test_a_fold_that_would_outlast_the_request_is_not_begun(caplog: pytest.LogCaptureFixture) -> None:
    """A fold that would exceed the request's 1,740 s is not started but logged: after 541 s of merges."""
    for seconds, folds in ((540, ["fold domains"]), (541, [])):
        clock = Clock()
        steps: list[str] = []
        merges = Merges(steps, takes=partial(clock.advance, seconds=seconds / 2))
        answer(merges, Folds(steps, due=["domains"]), clock)
        assert steps[2:] == folds
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["merger.fold_postponed"]


def test_the_question_what_is_due_counts_too(caplog: pytest.LogCaptureFixture) -> None:
    """A fold is not begun if that question has left less than the 1,200 s that a fold may take."""
    for seconds, folds in ((540, ["fold domains"]), (541, [])):
        clock = Clock()
        steps: list[str] = []
        folder = Folds(steps, due=["domains"], takes=partial(clock.advance, seconds=seconds))
        answer(Merges(steps), folder, clock)
        assert steps[2:] == folds
    assert "merger.fold_postponed" in caplog.text
