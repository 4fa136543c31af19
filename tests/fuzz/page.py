"""The figures of a fuzzing run for docs/reliability.md, in Markdown."""

from collections.abc import Iterable, Iterator

from tests.fuzz.target import Fuzzed


def page(found: Iterable[Fuzzed]) -> Iterator[str]:
    """Yield a table with each target's inputs, outcomes, time and memory."""
    yield "| target | inputs | what became of them | s | MiB more after the first 1,000 |"
    yield "|---|---|---|---|---|"
    for one in sorted(found, key=lambda one: one.target.lower()):
        outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in one.outcomes.most_common())
        yield f"| {one.target} | {one.inputs:,} | {outcomes} | {one.seconds:.0f} | {one.gained_mib:.0f} |"
