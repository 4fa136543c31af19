"""`python -m tests.soak`: run a soak and exit 1 when the accounts do not balance."""

import argparse
import json
import secrets
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.section import write_section
from infra.local.prerequisites import PubSub
from tests.soak.page import page
from tests.soak.run import Options, explain, soak
from tests.soak.soak_mesh import Size

# Feed minutes in one minute of the run, for each of the five feeds: what two cores carry while parts die beside it.
_PACE = 20
_KILLS_A_MINUTE = 5
# Past hours of threat lists that are replayed; more than the ending's steps leave within the seven days are refused.
_HOURS_A_MINUTE = 3
_MAX_HOURS = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the command line says."""
    given = _parse(arguments)
    options = _options(given)
    shutil.rmtree(options.folder, ignore_errors=True)
    _say(f"soak with seed {options.seed} in {options.folder}")
    outcome = soak(options, _say)
    _say(json.dumps(outcome.report, indent=2, default=str))
    if outcome.verdict.balanced:
        _say("everything balances")
        if given.page:
            write_section(given.page, "soak", page(outcome.report, _command(options)))
        return 0
    for line in explain(options, outcome.verdict):
        _say(line)
    _say("the accounts do not balance")
    return 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _command(options: Options) -> str:
    """Return the command that repeats this run."""
    size = f"--minutes {options.seconds / 60:g} --kills {options.kills} --feed-minutes {options.size.minutes}"
    return f'make soak ARGS="{size} --seed {options.seed}"'


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0, help="how long things go wrong (default: 15)")
    parser.add_argument("--kills", type=int, help=f"how many (default: {_KILLS_A_MINUTE} a minute)")
    parser.add_argument("--feed-minutes", type=int, help=f"of each of five feeds (default: {_PACE} a minute)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of a run to be had again")
    parser.add_argument("--pubsub", type=PubSub, default=PubSub.EMBEDDED, choices=list(PubSub))
    parser.add_argument("--state", type=Path, default=Path(".gti-mesh/soak"), help="made empty first, and left")
    parser.add_argument("--short-leases", action="store_true", help="let a dead importer's lease end at once")
    parser.add_argument("--page", type=Path, help="write the figures into this page's section `soak`")
    return parser.parse_args(arguments)


def _options(given: argparse.Namespace) -> Options:
    return Options(
        folder=given.state.absolute(),
        seed=given.seed,
        seconds=60 * given.minutes,
        kills=round(_KILLS_A_MINUTE * given.minutes) if given.kills is None else given.kills,
        size=Size(
            minutes=round(_PACE * given.minutes) if given.feed_minutes is None else given.feed_minutes,
            past_hours=min(round(_HOURS_A_MINUTE * given.minutes), _MAX_HOURS),
        ),
        pubsub=given.pubsub,
        short_leases=given.short_leases,
    )


if __name__ == "__main__":
    sys.exit(main())
