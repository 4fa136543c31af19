"""The doctor's checks of VirusTotal, on the simulator over real HTTP."""

from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from infra.doctor.asm_projects import asm_project_checks
from infra.doctor.source import source_checks
from infra.local.virustotal.simulator import DEFAULT_KEY
from infra.local.virustotal.streams.client import ListsControl
from shared.contracts.minutes import floor_minute
from shared.operations.doctor.check import Finding, Outcome
from shared.streams.definition import find_stream
from tests.support.simulator import Running

MINUTE = floor_minute(datetime.now(UTC) - timedelta(minutes=90))


def found(vt: Running, name: str, key: str = DEFAULT_KEY) -> Finding:
    """Return what a check finds."""
    checks = source_checks(
        api_url=f"{vt.url}/api/v3",
        key=lambda: SecretStr(key),
        feeds=("domains", "files"),
        streams=[find_stream("ioc_stream")],
        minute=MINUTE,
    )
    [check] = [check for check in checks if check.name == name]
    return check.look()


def test_a_key_that_may_read_everything_passes(vt: Running) -> None:
    """The finding names the feeds and streams that were asked for."""
    assert found(vt, "VirusTotal key") == Finding(Outcome.PASS, "the key may read domains, files, ioc_stream")


def test_a_refused_key_fails_and_is_not_shown(vt: Running) -> None:
    """The finding says what to check, without the key."""
    finding = found(vt, "VirusTotal key", "wrong-key-of-this-test")
    assert finding.outcome is Outcome.FAIL
    assert "check VT_API_KEY" in finding.seen
    assert "wrong-key-of-this-test" not in finding.seen


def test_a_feed_and_a_stream_without_a_licence_are_named(vt: Running) -> None:
    """Each has its words."""
    vt.control.set_faults({"kind": "forbidden", "feed": "files"})
    ListsControl(vt.url).arm({"kind": "forbidden", "path": "ioc_stream"})
    finding = found(vt, "VirusTotal key")
    assert finding == Finding(
        Outcome.FAIL, "the key's owner may not read files; the key's owner may not read ioc_stream"
    )


def test_the_host_of_packages_serves_ranges_and_never_sees_the_key(vt: Running) -> None:
    """The finding names the host."""
    assert found(vt, "package host") == Finding(Outcome.PASS, "127.0.0.1 serves ranges")
    assert vt.control.stats().keys_at_download_port == 0


def test_a_host_without_ranges_fails(vt: Running) -> None:
    """The finding says what the host answered."""
    vt.control.set_modes(ranges=False)
    assert found(vt, "package host") == Finding(Outcome.FAIL, "127.0.0.1 answered 200 to a range")


def test_a_package_without_a_redirect_says_nothing(vt: Running) -> None:
    """There is no host to look at."""
    vt.control.set_modes(direct=True)
    assert found(vt, "package host").outcome is Outcome.UNKNOWN


def projects(vt: Running, *chosen: str, now: datetime | None = None) -> Finding:
    """Return what the check of ASM projects finds."""
    [check] = asm_project_checks(
        api_url=f"{vt.url}/api/v3",
        key=lambda: SecretStr(DEFAULT_KEY),
        streams=[find_stream("ioc_stream"), find_stream("asm_issues")],
        projects=chosen,
        now=now or datetime.now(UTC),
    )
    return check.look()


def test_projects_that_can_be_searched_pass(vt: Running) -> None:
    """Those of the key, or of the setting; without the stream there is no check."""
    assert projects(vt) == Finding(Outcome.PASS, "the key may search 10101, 10102")
    assert projects(vt, "10102") == Finding(Outcome.PASS, "the key may search 10102")
    nothing = asm_project_checks(api_url="", key=lambda: SecretStr(""), streams=[], projects=(), now=datetime.now(UTC))
    assert not list(nothing)


def test_a_search_without_issues_shows_nothing(vt: Running) -> None:
    """A key may search its projects, and without an issue nothing shows what a search does with its bounds."""
    finding = projects(vt, now=datetime.now(UTC) + timedelta(days=365))
    assert finding.outcome is Outcome.UNKNOWN
    assert finding.seen.startswith("the key may search 10101, 10102; no issue was seen")


def test_a_project_that_the_key_does_not_have_fails(vt: Running) -> None:
    """The source's words say which."""
    finding = projects(vt, "7")
    assert finding.outcome is Outcome.FAIL
    assert "Project not found" in finding.seen


def test_alerts_are_asked_for_in_their_own_way(vt: Running) -> None:
    """Their API has other parameters, and would refuse those of lists."""
    checks = source_checks(
        api_url=f"{vt.url}/api/v3",
        key=lambda: SecretStr(DEFAULT_KEY),
        feeds=(),
        streams=[find_stream("dtm_alerts"), find_stream("asm_issues")],
        minute=MINUTE,
    )
    assert next(checks).look() == Finding(Outcome.PASS, "the key may read dtm_alerts")
