"""Whatever happens in whatever order, after each merge the tables equal a plain dict model."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from services.loader.attempts import Attempts
from services.loader.load import Loader
from services.merger.merge import Merged, Merger
from shared.messages import MinuteLanded
from shared.warehouse.staging import LinesKept, LoadEnd, LoadJob, Staging
from tests.doubles import NOON
from tests.landed import Object, domain
from tests.warehouse import DOMAINS, Warehouse

# Around midnight, so that merges span two partitions of history.
MINUTES = [datetime(2026, 11, 20, 23, 57, tzinfo=UTC) + timedelta(minutes=number) for number in range(6)]
DATES = st.sampled_from([None, 0, 1, 2])
LINES = st.lists(
    st.none()
    | st.builds(lambda name, a, m: domain(name, analysed=a, modified=m), st.sampled_from("abc"), DATES, DATES),
    max_size=4,
)
Key = tuple[datetime, int]


class Crash(Exception):
    """The process ends here."""


@dataclass
class Fuse:
    """Counts down the moments before and after each effect, and crashes at the last."""

    moments: int

    def __call__(self) -> None:
        """Let one moment pass."""
        self.moments -= 1
        if self.moments == 0:
            raise Crash


class Fragile:
    """Passes calls on, with a fuse that may burn down before or after each."""

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
    """Staging as BigQuery has it: an id begins once. The emulator begins it again and loads the rows twice."""

    inner: Staging
    taken: set[str] = field(default_factory=set)

    def begin(self, job: LoadJob) -> bool:
        """Start a job whose id is free."""
        if job.id in self.taken:
            return False
        self.taken.add(job.id)
        return self.inner.begin(job)

    def end(self, job: LoadJob, *, seconds: float) -> LoadEnd:
        """Wait for a job."""
        return self.inner.end(job, seconds=seconds)

    def lines_kept(self, feed: Any, minute: datetime) -> LinesKept:
        """Return a minute's lines."""
        return self.inner.lines_kept(feed, minute)


def version(key: Key, line: Object) -> tuple[int, int, datetime, int]:
    """Return what orders the versions of an id."""
    attributes = line["attributes"]
    return (attributes.get("last_analysis_date", 0), attributes.get("last_modification_date", 0), *key)


class Mesh(RuleBasedStateMachine):
    """Landings, deliveries, crashes, lost and doubled loads, and merges, in any order."""

    warehouse: Warehouse

    def __init__(self) -> None:
        super().__init__()
        self.warehouse.clear()
        self.staging = IdsAreTaken(self.warehouse.staging)
        self.merger = self.warehouse.merger()
        self.landed: dict[datetime, tuple[MinuteLanded, list[Object | None]]] = {}
        self.told: set[datetime] = set()
        self.staged: Counter[datetime] = Counter()
        self.history: dict[Key, Object] = {}

    def lines_of(self, minute: datetime) -> dict[Key, Object]:
        """Return a landed minute's good lines."""
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
        """A delivery, a redelivery or a replay of a landed minute; it may crash between any two effects."""
        minute = sorted(self.landed)[which % len(self.landed)]
        fuse = Fuse(moments)
        staging: Any = Fragile(self.staging, fuse)
        ledger: Any = Fragile(self.warehouse.ledger, fuse)
        attempts = Attempts(
            staging=staging, bucket=self.warehouse.bucket, now=lambda: NOON, deadline=timedelta(minutes=1)
        )
        loader = Loader(
            bucket=self.warehouse.bucket, attempts=attempts, ledger=ledger, feeds=[DOMAINS], now=lambda: NOON
        )
        begun = len(self.staging.taken)
        try:
            loader.handle(self.landed[minute][0])
            self.told.add(minute)
        except Crash:
            pass
        self.staged[minute] += len(self.staging.taken) - begun

    @precondition(lambda self: +self.staged)
    @rule(which=st.integers(0, 5))
    def load_twice(self, which: int) -> None:
        """A minute's lines come into staging again, as two jobs that knew nothing of each other would have it."""
        minute = sorted(self.staged)[which % len(self.staged)]
        self.warehouse.load(self.landed[minute][0])
        self.staged[minute] += 1

    @precondition(lambda self: +self.staged)
    @rule()
    def restore_staging(self) -> None:
        """An operator restores staging to a time before its loads; replays must bring them again."""
        self.warehouse.run(f"TRUNCATE TABLE {self.warehouse.dataset}.domains_staging")
        self.told -= {minute for minute in self.staged if not self.lines_of(minute).keys() <= self.history.keys()}
        self.staged.clear()

    @rule(arriving=st.booleans())
    def merge(self, arriving: bool) -> None:
        """A merge, before whose transaction one more load may arrive."""

        def run(sql: str, /) -> list[dict[str, Any]]:
            if arriving and "TRANSACTION" in sql:
                self.load_twice(0)
            return self.warehouse.run(sql)

        arriving = arriving and bool(+self.staged)
        merged = Merger(run=run, dataset=f"{self.warehouse.endpoints.project}.{self.warehouse.dataset}").merge(DOMAINS)
        staged = {minute: self.lines_of(minute) for minute in +self.staged if self.lines_of(minute)}
        assert merged.lines == sum(len(lines) * self.staged[minute] for minute, lines in staged.items())
        assert merged.minutes == len(staged)
        for lines in staged.values():
            self.history.update(lines)
        self.staged.clear()
        self.compare()

    def compare(self) -> None:
        """Compare every table with the model."""
        assert not self.warehouse.read("domains_staging", "id")
        observed = self.warehouse.read("domains_history", "feed_minute, feed_line, id, TO_JSON_STRING(object)")
        assert [(*row[:3], orjson.loads(row[3])) for row in observed] == [
            (*key, line["id"], line) for key, line in sorted(self.history.items(), key=lambda item: item[0])
        ]
        newest: dict[str, Key] = {}
        for key, line in sorted(self.history.items(), key=lambda item: version(*item)):
            newest[line["id"]] = key
        known = self.warehouse.read("domains_current", "id, feed_minute, feed_line")
        assert {row[0]: row[1:] for row in known} == newest
        self.balance()

    def balance(self) -> None:
        """Compare the ledger: what merged has as many rows as history, and lines = rows + rejected."""
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
        assert all(states[minute] == "merged" for minute in self.told)

    def teardown(self) -> None:
        """In the end every landed minute is delivered once more, merged, and accounted for."""
        for which in range(len(self.landed)):
            self.deliver(which, 0)
        self.merge(arriving=False)
        assert self.told == set(self.landed)
        assert self.merger.merge(DOMAINS) == Merged()


def test_the_tables_equal_the_model(warehouse: Warehouse) -> None:
    """Whatever happens in whatever order."""

    class OnThisWarehouse(Mesh):
        """The machine on this test's tables."""

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
