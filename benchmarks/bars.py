"""The criteria for the downloader, and whether a benchmark run met them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

Took = Mapping[str, float]
Results = Mapping[str, Mapping[str, Took]]

_FLOOR, _ONE, _TWO = "bzip2 -dc, 1 core", "gti-mesh, 1 core", "gti-mesh, 2 cores"
_PAIR = "gti-mesh, 2 cores, 2 packages at once"
_PREDECESSOR = "predecessor, 1 core"


@dataclass(frozen=True)
class Bar:
    """A criterion: a ratio within one run, with the maximum or minimum that it must meet."""

    says: str
    ratio: Callable[[Mapping[str, Took]], float]
    most: float | None = None
    least: float | None = None

    def met(self, ratio: float) -> bool:
        """Whether a ratio, rounded as it is written, meets the criterion."""
        written = round(ratio, 2)
        return (self.most is None or written <= self.most) and (self.least is None or written >= self.least)


def _above_idle(took: Took) -> float:
    return took["peak"] - took["idle"]


_BARS = (
    Bar("one core: at most 1.10 x the wall time of `bzip2 -dc`", lambda r: r[_ONE]["wall"] / r[_FLOOR]["wall"], 1.10),
    Bar("two cores: at most 0.70 x", lambda r: r[_TWO]["wall"] / r[_FLOOR]["wall"], 0.70),
    Bar(
        "two packages on two cores: at least 1.8 x the throughput of one on one core",
        lambda r: 2 * r[_ONE]["wall"] / r[_PAIR]["wall"],
        least=1.8,
    ),
    Bar("processor time: at most 1.25 x `bzip2 -dc`, on one core", lambda r: r[_ONE]["cpu"] / r[_FLOOR]["cpu"], 1.25),
    Bar("the same on two cores", lambda r: r[_TWO]["cpu"] / r[_FLOOR]["cpu"], 1.25),
    Bar("memory, decoder included: at most 96 MiB above idle, on one core", lambda r: _above_idle(r[_ONE]), 96),
    Bar("the same on two cores", lambda r: _above_idle(r[_TWO]), 96),
    Bar(
        "at least 1.5 x faster than the predecessor, on one core",
        lambda r: r[_PREDECESSOR]["wall"] / r[_ONE]["wall"],
        least=1.5,
    ),
    Bar(
        "at least 1.5 x faster than the predecessor, on two cores",
        lambda r: r[_PREDECESSOR]["wall"] / r[_TWO]["wall"],
        least=1.5,
    ),
    Bar("less memory than the predecessor, two cores", lambda r: r[_TWO]["peak"] / r[_PREDECESSOR]["peak"], 1.0),
)


def bars(results: Results) -> Iterator[str]:
    """Yield a Markdown table with a row per criterion and a column per size, and the sizes that fail."""
    sizes = [size for size in results if {_ONE, _TWO, _PAIR} <= set(results[size])]
    yield f"| what we ask of it | {' | '.join(f'{size} MB' for size in sizes)} | |"
    yield f"|---|{'---|' * len(sizes)}---|"
    for bar in _BARS:
        found = {size: bar.ratio(results[size]) for size in sizes}
        missed = [f"{size} MB" for size, ratio in found.items() if not bar.met(ratio)]
        verdict = f"not met at {', '.join(missed)}" if missed else "met"
        yield f"| {bar.says} | {' | '.join(f'{ratio:.2f}' for ratio in found.values())} | {verdict} |"
