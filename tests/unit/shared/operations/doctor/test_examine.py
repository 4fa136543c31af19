"""Running checks: one that cannot look, or needs consent, does not stop the others."""

from collections.abc import Callable

from google.api_core.exceptions import PermissionDenied

from shared.contracts.outcomes import Misconfigured
from shared.operations.doctor.check import Check, Finding, Outcome, failed, passed
from shared.operations.doctor.examine import Result, examine, exit_code


def check(name: str, look: Callable[[], Finding], *, local: bool = True, consent: str = "") -> Check:
    """Return a check."""
    return Check(name, "something", look, "it matters", "do this", local=local, consent=consent)


def raising(error: Exception) -> Callable[[], Finding]:
    """Return a check function that raises."""

    def look() -> Finding:
        raise error

    return look


def examined(*checks: Check, local: bool = False, agreed: bool = True) -> list[Result]:
    """Run checks."""
    return list(examine(checks, local=local, consent=lambda _: agreed))


def test_a_check_that_cannot_look_says_why_and_the_next_one_runs() -> None:
    """Refusals, missing settings and unexpected responses are findings, and the next check runs."""
    results = examined(
        check("refused", raising(PermissionDenied("run.services.get denied"))),  # type: ignore[no-untyped-call]
        check("unset", raising(Misconfigured("GCP_REGION is not set\nmore"))),
        check("unforeseen", raising(KeyError("uri"))),
        check("fine", lambda: passed("yes")),
    )
    assert [result.finding for result in results] == [
        Finding(Outcome.UNKNOWN, "403 run.services.get denied"),
        Finding(Outcome.UNKNOWN, "GCP_REGION is not set"),
        Finding(Outcome.UNKNOWN, "unexpected KeyError: 'uri'"),
        Finding(Outcome.PASS, "yes"),
    ]
    assert exit_code(results) == 0


def test_one_fail_makes_the_exit_code_1() -> None:
    """One fail makes the exit code 1 with any other outcomes."""
    results = examined(check("fine", lambda: passed("yes")), check("wrong", lambda: failed("no")))
    assert exit_code(results) == 1


def test_without_consent_a_check_that_needs_it_does_not_run() -> None:
    """A check without consent is skipped, and says what it would have done."""
    asking = check("dear", raising(AssertionError("ran")), consent="it bills a dollar")
    [result] = examined(asking, agreed=False)
    assert result.finding == Finding(Outcome.SKIPPED, "not run without consent: it bills a dollar")


def test_on_a_local_mesh_only_what_means_something_there_runs() -> None:
    """On a local mesh checks of the cloud are skipped, and say so."""
    cloud = check("cloud", raising(AssertionError("ran")), local=False)
    results = examined(cloud, check("both", lambda: passed("yes")), local=True)
    assert [result.finding.outcome for result in results] == [Outcome.SKIPPED, Outcome.PASS]


def test_the_report_has_all_that_one_needs_to_act() -> None:
    """The report has each check's name, outcome, observation, meaning and remedy."""
    [result] = examined(check("wrong", lambda: failed("no")))
    report = result.report()
    assert report.pop("seconds") == 0.0
    assert report == {
        "name": "wrong",
        "outcome": "fail",
        "seen": "no",
        "relies_on": "something",
        "meaning": "it matters",
        "remedy": "do this",
    }
