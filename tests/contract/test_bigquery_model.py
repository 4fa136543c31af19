"""After each merge and each fold the tables equal a plain dict model, whatever happened before in whatever order."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

import orjson
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from services.loader.attempts import Attempts
from services.loader.load import Loader
from services.loader.rate_limit import RateLimit
from services.merger.merge import MergeResult
from services.merger.transactions import RunSql
from shared.contracts.messages import MinuteLanded
from shared.contracts.outcomes import Retryable
from shared.operations.accounts import EVER
from shared.warehouse.staging import LinesKept, LoadEnd, LoadJob, Staging
from tests.support.doubles import NOON
from tests.support.landed import Object, domain
from tests.support.versions import Key, deadline, failing_at, modelled, oracle, shown, tables
from tests.support.warehouse import DOMAINS, Warehouse, merge_now

# Around midnight, so that merges span two partitions of history.
MINUTES = [datetime(2026, 11, 20, 23, 57, tzinfo=UTC) + timedelta(minutes=number) for number in range(6)]
# Missing and absurd ones count as 1970, and one lies before it.
DATES = st.sampled_from([None, 0, 1, 2, -5, 10**15])
LINES = st.lists(
    st.none()
    | st.builds(
        lambda name, analysed, modified, tags: domain(name, analysed=analysed, modified=modified, tags=tags, tld=name),
        st.sampled_from("abc"),
        DATES,
        DATES,
        st.lists(st.sampled_from("xy"), max_size=2),
    ),
    max_size=4,
)


class Crash(Exception):
    """The simulated process ends here."""


@dataclass
class Fuse:
    """Counts down the moments before and after each effect, and raises a crash at the last."""

    moments: int

    def __call__(self) -> None:
        """Count down one moment, and crash at zero."""
        self.moments -= 1
        if self.moments == 0:
            raise Crash


class Fragile:
    """Forwards calls, and may crash before or after each."""

    def __init__(self, inner: object, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self._fuse()
            result = getattr(self._inner, name)(*args, **kwargs)
            self._fuse()
            return result

        return call


@dataclass
class IdsAreTaken:
    """Staging with BigQuery's rule that a job id can be used once; the emulator would load the rows twice.

    Each example has ids of its own: the emulator remembers the jobs of earlier ones.
    """

    inner: Staging
    taken: dict[str, LoadJob] = field(default_factory=dict)
    example: str = field(default_factory=lambda: token_hex(4))

    def begin(self, job: LoadJob) -> bool:
        """Start a job whose id is unused."""
        if job.id in self.taken:
            return False
        self.taken[job.id] = replace(job, id=f"{job.id}-{self.example}")
        return self.inner.begin(self.taken[job.id])

    def loaded_since(self, begun: int) -> int:
        """Wait for the jobs begun since the first so many; return how many have loaded their lines.

        A job goes on when the process that began it has crashed.
        """
        jobs = list(self.taken.values())[begun:]
        return sum(self.inner.end(job, seconds=60).state == "done" for job in jobs)

    def end(self, job: LoadJob, *, seconds: float) -> LoadEnd:
        """Wait for a job."""
        return self.inner.end(self.taken[job.id], seconds=seconds)

    def lines_kept(self, feed: Any, minute: datetime) -> LinesKept:
        """Return a minute's lines."""
        return self.inner.lines_kept(feed, minute)


class Mesh(RuleBasedStateMachine):
    """Landings, deliveries, crashes, lost and repeated loads, merges and folds, in any order."""

    warehouse: Warehouse

    def __init__(self) -> None:
        super().__init__()
        self.warehouse.clear()
        self.staging = IdsAreTaken(self.warehouse.staging)
        self.landed: dict[datetime, tuple[MinuteLanded, list[Object | None]]] = {}
        self.recorded_merged: set[datetime] = set()
        self.staged: Counter[datetime] = Counter()
        self.history: dict[Key, Object] = {}

    def lines_of(self, minute: datetime) -> dict[Key, Object]:
        """Return the valid lines of a landed minute."""
        return {(minute, number): line for number, line in enumerate(self.landed[minute][1], 1) if line}

    @rule(lines=LINES)
    def land(self, lines: list[Object | None]) -> None:
        """A minute lands; later ones may land first."""
        minute = next((minute for minute in reversed(MINUTES) if minute not in self.landed), None)
        if minute:
            self.landed[minute] = (self.warehouse.land(minute, *lines), lines)

    @precondition(lambda self: self.landed)
    @rule(which=st.integers(0, 5), moments=st.sampled_from([0, 0, *range(1, 13)]))
    def deliver(self, which: int, moments: int) -> None:
        """A landed minute is delivered, redelivered or replayed; the process may crash between any two effects."""
        minute = sorted(self.landed)[which % len(self.landed)]
        fuse = Fuse(moments)
        staging: Any = Fragile(self.staging, fuse)
        ledger: Any = Fragile(self.warehouse.ledger, fuse)
        attempts = Attempts(
            staging=staging,
            bucket=self.warehouse.bucket,
            now=lambda: NOON,
            deadline=timedelta(minutes=1),
            pace=RateLimit(1000, now=lambda: NOON, pause=lambda _: None),
        )
        loader = Loader(
            bucket=self.warehouse.bucket,
            attempts=attempts,
            ledger=ledger,
            feeds=[DOMAINS],
            staging=staging,
            now=lambda: NOON,
        )
        begun = len(self.staging.taken)
        try:
            loader.handle(self.landed[minute][0])
            self.recorded_merged.add(minute)
        except Crash:
            pass
        self.staged[minute] += self.staging.loaded_since(begun)

    @precondition(lambda self: +self.staged)
    @rule(which=st.integers(0, 5))
    def load_twice(self, which: int) -> None:
        """A minute's lines are staged a second time, as by two load jobs that do not know of each other."""
        minute = sorted(self.staged)[which % len(self.staged)]
        self.warehouse.load(self.landed[minute][0])
        self.staged[minute] += 1

    @precondition(lambda self: +self.staged)
    @rule()
    def restore_staging(self) -> None:
        """An operator restores staging to a time before its loads; replays must load them again."""
        self.warehouse.run(f"TRUNCATE TABLE {self.warehouse.dataset}.domains_staging")
        self.recorded_merged -= {
            minute for minute in self.staged if not self.lines_of(minute).keys() <= self.history.keys()
        }
        self.staged.clear()

    @rule(arriving=st.booleans(), max_lines=st.sampled_from([1, 4, 1_000_000]))
    def merge(self, arriving: bool, max_lines: int = 1_000_000) -> None:
        """Merge in one or several transactions; one more load may arrive before the first."""

        def run(sql: str, /, *, seconds: float) -> list[dict[str, Any]]:
            nonlocal arriving
            if arriving and "TRANSACTION" in sql:
                arriving = False
                self.load_twice(0)
            return self.warehouse.run(sql, seconds=seconds)

        arriving = arriving and bool(+self.staged)
        merged = merge_now(self.warehouse.merger(run, max_lines), DOMAINS)
        staged = {minute: self.lines_of(minute) for minute in +self.staged if self.lines_of(minute)}
        assert merged.lines == sum(len(lines) * self.staged[minute] for minute, lines in staged.items())
        assert merged.minutes == len(staged)
        for lines in staged.values():
            self.history.update(lines)
        self.staged.clear()
        assert not self.warehouse.read("domains_staging", "id")
        self.compare()

    @rule(keep_hours=st.sampled_from([0, 2]), hours=st.sampled_from([0, 5]))
    def fold(self, keep_hours: int, hours: int) -> None:
        """A fold of everything, or of what was merged more than an hour ago; some hours may have passed."""
        dataset = self.warehouse.dataset
        self.warehouse.run(
            f"UPDATE {dataset}.domains_recent"  # noqa: S608
            f" SET merged_at = TIMESTAMP_SUB(merged_at, INTERVAL {hours} HOUR) WHERE TRUE"
        )
        last = self.generation
        folded = self.warehouse.fold(keep_hours)
        self.compare()
        assert self.generation is None or last is None or self.generation > last
        if not keep_hours or hours:
            assert not self.warehouse.read("domains_recent", "id")
        assert folded.base_rows == len(self.warehouse.read("domains_base", "id"))

    @rule(place=st.integers(0, 13), fold=st.booleans())
    def fail(self, place: int, fold: bool) -> None:
        """A merge or a fold fails behind any statement of its transaction, and has changed nothing."""
        run = failing_at(self.warehouse, place)
        before = tables(self.warehouse)
        try:
            if fold:
                self.warehouse.folder(run).fold(DOMAINS, end=deadline())
                self.compare()
            elif +self.staged:
                self.fail_to_merge(run)
        except Retryable:
            assert tables(self.warehouse) == before

    def fail_to_merge(self, run: RunSql) -> None:
        """Begin a merge that fails before it has come to its end."""
        merge_now(self.warehouse.merger(run), DOMAINS)
        raise AssertionError("a merge has more statements than that")

    @property
    def generation(self) -> datetime | None:
        """The generation of base, if it has one."""
        generations = self.warehouse.read("domains_base", "DISTINCT folded_at")
        assert len(generations) <= 1
        return generations[0][0] if generations else None

    def compare(self) -> None:
        """Compare every table with the model: the view in all columns, and against one window over both tables."""
        observed = self.warehouse.read("domains_history", "feed_minute, feed_line, id, TO_JSON_STRING(object)")
        assert [(*row[:3], orjson.loads(row[3])) for row in observed] == [
            (*key, line["id"], line) for key, line in sorted(self.history.items(), key=lambda item: item[0])
        ]
        assert shown(self.warehouse) == modelled(self.history) == oracle(self.warehouse)
        in_base = self.warehouse.read("domains_base", "id")
        assert len(in_base) == len(set(in_base))
        fence = [(self.generation or EVER,)]
        assert self.warehouse.read("domains_fence", "generation") == fence
        self.balance()

    def balance(self) -> None:
        """Compare the ledger: a merged minute has as many rows as history has, and lines = rows + rejected."""
        rows = Counter(minute for minute, _ in self.history)
        for minute, state, lines, rejected, kept in self.warehouse.read(
            "minute_status", "minute, state, lines, rejected, `rows`"
        ):
            if state == "merged":
                assert kept == rows[minute]
                assert lines == kept + rejected
            else:
                assert not rows[minute]
        states = dict(self.warehouse.read("minute_status", "minute, state"))
        # A fold may come while lines are staged; those minutes are merged later.
        assert all(states[minute] == "merged" for minute in self.recorded_merged if not self.staged[minute])

    def teardown(self) -> None:
        """At the end, deliver every landed minute once more, merge, and compare the accounts."""
        for which in range(len(self.landed)):
            self.deliver(which, 0)
        self.merge(arriving=False)
        assert self.recorded_merged == set(self.landed)
        assert self.warehouse.merge() == MergeResult()


def test_the_tables_equal_the_model(warehouse: Warehouse) -> None:
    """The state machine's rules may run in any order."""

    class OnThisWarehouse(Mesh):
        """Return the machine on this test's tables."""

    OnThisWarehouse.warehouse = warehouse
    run_state_machine_as_test(
        OnThisWarehouse,
        settings=settings(
            max_examples=5,
            stateful_step_count=12,
            deadline=None,
            # Twelve steps can be read as they are; shrinking them on an emulator takes minutes.
            phases=[Phase.reuse, Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        ),
    )
