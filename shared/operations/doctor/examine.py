"""Run the checks one after the other; a check that cannot look never stops the others."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError
from requests import RequestException

from shared.contracts.outcomes import MeshError
from shared.operations.doctor.check import NOT_LOCAL, Check, Finding, Outcome, skipped, unknown


@dataclass(frozen=True)
class Result:
    """A check with its finding, and how long it took in seconds."""

    check: Check
    finding: Finding
    seconds: float

    def report(self) -> dict[str, object]:
        """Return the result for the JSON report."""
        check = self.check
        return {
            "name": check.name,
            "outcome": self.finding.outcome.value,
            "seen": self.finding.seen,
            "relies_on": check.relies_on,
            "meaning": check.meaning,
            "remedy": check.remedy,
            "seconds": round(self.seconds, 1),
        }


Consent = Callable[[Check], bool]


def examine(checks: Iterable[Check], *, local: bool, consent: Consent) -> Iterator[Result]:
    """Yield each check's result as soon as it is known; `consent` is asked where a check needs it."""
    for check in checks:
        began = time.monotonic()
        yield Result(check, _find(check, local=local, consent=consent), time.monotonic() - began)


def _find(check: Check, *, local: bool, consent: Consent) -> Finding:
    if local and not check.local:
        return skipped(NOT_LOCAL)
    if check.consent and not consent(check):
        return skipped(f"not run without consent: {check.consent}")
    try:
        return check.look()
    except (MeshError, GoogleAuthError, RequestException) as error:
        return unknown(_first_line(error))
    except GoogleAPICallError as error:
        return unknown(f"{error.code or ''} {error.message}".strip())
    except Exception as error:  # noqa: BLE001 an answer of an unforeseen shape must not hide the other checks
        return unknown(f"unexpected {type(error).__name__}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def exit_code(results: Iterable[Result]) -> int:
    """Return 1 if any check failed."""
    return int(any(result.finding.outcome is Outcome.FAIL for result in results))
