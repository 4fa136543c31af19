"""The doctor's checks of threat lists, on the simulator over real HTTP."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from infra.doctor.threat_lists import threat_list_checks
from infra.local.virustotal.simulator import DEFAULT_KEY
from infra.local.virustotal.threat_lists.client import ThreatListsControl
from shared.contracts.minutes import ONE_HOUR, Period
from shared.operations.doctor.check import Finding, Outcome
from tests.support.simulator import Running

# A minute after the source has opened the hour of 13:00 with a lag of two hours.
NOW = datetime(2026, 11, 21, 15, 1, tzinfo=UTC)


def found(vt: Running, name: str, *lists: str, lag: int = 120, key: str = DEFAULT_KEY) -> Finding:
    """Return what a check finds."""
    vt.control.stop_clock(NOW)
    checks = threat_list_checks(
        api_url=f"{vt.url}/api/v3",
        key=lambda: SecretStr(key),
        lists=lists,
        period=Period(ONE_HOUR, timedelta(minutes=lag)),
        now=NOW,
    )
    [check] = [check for check in checks if check.name == name]
    return check.look()


def served(vt: Running, **settings: object) -> None:
    """Change what the source serves."""
    ThreatListsControl(vt.url).set_settings(**settings)


def test_the_lists_of_the_keys_tier_are_named(vt: Running) -> None:
    """With one request; those of higher tiers are named too, and are no error."""
    served(vt, tier="standard")
    finding = found(vt, "threat lists")
    assert finding.outcome is Outcome.PASS
    assert finding.seen.startswith("the key may read malicious-network-infrastructure, ransomware; not cryptominer, ")
    assert len(vt.control.stats().requests) == 1


def test_a_list_of_the_setting_that_the_key_may_not_read_is_named(vt: Running) -> None:
    """Only that one."""
    served(vt, tier="standard")
    finding = found(vt, "threat lists", "ransomware", "phishing")
    assert finding == Finding(Outcome.FAIL, "phishing is in THREAT_LISTS, and VirusTotal does not name it")


@pytest.mark.parametrize("named", ["forbidden", "unknown"])
def test_lists_that_are_not_named_are_no_error(vt: Running, named: str) -> None:
    """The downloader asks for all that it knows."""
    served(vt, named=named)
    finding = found(vt, "threat lists")
    assert finding.outcome is Outcome.UNKNOWN
    assert "asks for every list that it knows" in finding.seen


def test_a_refused_key_fails(vt: Running) -> None:
    """The finding does not show it."""
    finding = found(vt, "threat lists", key="wrong-key-of-this-test")
    assert finding.outcome is Outcome.FAIL
    assert "wrong-key-of-this-test" not in finding.seen


def test_a_lag_that_fits_passes(vt: Running) -> None:
    """The newest hour that is due is served, and the one after it is not."""
    finding = found(vt, "lag of threat lists")
    assert finding.outcome is Outcome.PASS
    assert finding.seen.startswith("2026-11-21T13:00:00Z is served, and the hour after it is not yet")


def test_a_lag_that_is_too_short_fails(vt: Running) -> None:
    """The hour that the mesh would ask for is named."""
    finding = found(vt, "lag of threat lists", lag=60)
    assert finding == Finding(Outcome.FAIL, "2026-11-21T14:00:00Z is due by a lag of 60 minutes, and is not served yet")


def test_a_lag_that_is_longer_than_needed_is_said(vt: Running) -> None:
    """It loses nothing, so it passes; the finding says how early an hour was served."""
    served(vt, lag_minutes=60)
    finding = found(vt, "lag of threat lists")
    assert finding == Finding(
        Outcome.PASS, "an hour is served 61 minutes after it begins or earlier; the lag of 120 could be less"
    )


def test_the_lag_cannot_be_seen_on_a_list_that_the_key_may_not_read(vt: Running) -> None:
    """What is refused says nothing of hours."""
    served(vt, tier="standard")
    assert found(vt, "lag of threat lists", "phishing").outcome is Outcome.UNKNOWN
