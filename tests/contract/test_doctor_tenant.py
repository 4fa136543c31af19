"""The doctor's checks of the SecOps tenant, on the simulator over real HTTP."""

import requests

from services.secops_forwarder.importer.client import Instance, SecOps
from services.secops_forwarder.tenant_checks import tenant_checks
from shared.contracts.minutes import utc_now
from shared.operations.doctor.check import Finding, Outcome
from shared.streams.definition import find_stream
from shared.streams.forwarded import ForwardedFeed
from tests.support.google_double import GoogleDouble
from tests.support.secops import LOG_TYPE, RunningSecOps
from tests.support.streams import STREAM

OWN = STREAM.model_copy(update={"log_type": LOG_TYPE})
GOOGLES = STREAM.model_copy(update={"log_type": STREAM.google_log_type})
# Google's log type, and no parser of Google's.
ALERTS = find_stream("dtm_alerts").model_copy(update={"log_type": LOG_TYPE, "google_log_type": LOG_TYPE})
LISTS = ForwardedFeed("threat_lists", LOG_TYPE)
UNPARSED = find_stream("threat_actors").model_copy(update={"log_type": LOG_TYPE})
LOG_TYPES = f"secops.test/v1beta/projects/p/locations/us/instances/c/logTypes/{LOG_TYPE}"
SEARCH = "POST secops.test/v1alpha/projects/p/locations/us/instances/c:searchRawLogs"


def found(secops: SecOps, name: str, stream: object = OWN) -> Finding:
    """Return what a check finds, without waiting."""
    checks = tenant_checks(secops, [stream], utc_now, sleep=lambda _: None)  # type: ignore[list-item]
    [check] = [check for check in checks if check.name == name]
    return check.look()


def answering(*states: str) -> SecOps:
    """Return a tenant whose log type has parsers in these states, and that drops every log it accepts."""
    parsers = {"parsers": [{"state": state} for state in states]} if states else {}
    double = GoogleDouble({f"GET {LOG_TYPES}/parsers": parsers, f"POST {LOG_TYPES}/logs:import": {}, SEARCH: {}})

    def session() -> requests.Session:
        opened = requests.Session()
        opened.mount("https://", double)
        return opened

    return SecOps(Instance("https://secops.test", "v1beta", "p", "us", "c"), session)


def test_a_log_type_that_exists_passes(secops: RunningSecOps) -> None:
    """The finding names the stream and its type."""
    assert found(secops.client, "SecOps log types") == Finding(Outcome.PASS, f"ioc_stream has {LOG_TYPE}")


def test_the_log_type_of_a_forwarded_feed_is_checked_too(secops: RunningSecOps) -> None:
    """It may be Google's, which has a parser, or the tenant's own."""
    feed = ForwardedFeed("threat_lists", "GCP_THREATINTEL")
    assert found(secops.client, "SecOps log types", feed).seen == "threat_lists has GCP_THREATINTEL"
    secops.control.set_log_types("OKTA")
    assert found(secops.client, "SecOps log types", feed).outcome is Outcome.FAIL


def test_a_log_type_that_does_not_exist_fails(secops: RunningSecOps) -> None:
    """The finding names the stream and what to check."""
    secops.control.set_log_types("GCP_THREATINTEL")
    finding = found(secops.client, "SecOps log types")
    assert finding.outcome is Outcome.FAIL
    assert finding.seen.startswith(f"ioc_stream: the tenant has no log type {LOG_TYPE}")


def test_an_imported_log_is_found(secops: RunningSecOps) -> None:
    """The marked log is accepted and found by a search."""
    assert found(secops.client, "SecOps import") == Finding(Outcome.PASS, "found after 0 s")


def test_a_log_that_is_refused_fails(secops: RunningSecOps) -> None:
    """The finding has SecOps' words."""
    secops.control.set_faults({"kind": "bad_request"})
    finding = found(secops.client, "SecOps import")
    assert finding.outcome is Outcome.FAIL
    assert "logs:import was answered 400" in finding.seen


def test_a_log_that_is_accepted_and_dropped_is_not_found() -> None:
    """Whether it comes later cannot be known, so the mark is named."""
    finding = found(answering(), "SecOps import")
    assert finding.outcome is Outcome.UNKNOWN
    assert "search the raw logs for gti-mesh-doctor-" in finding.seen


def test_parsers_are_looked_at_where_google_has_none() -> None:
    """An active parser passes, none or an inactive one fails; a log type with a parser of Google's needs no other."""
    name = "SecOps parsers"
    assert found(answering("INACTIVE", "ACTIVE"), name).outcome is Outcome.PASS
    missing = f"ioc_stream: {LOG_TYPE} has no active parser; the project's is infra/secops/gti_ioc_stream.conf"
    assert found(answering("INACTIVE"), name) == Finding(Outcome.FAIL, missing)
    assert found(answering(), name).outcome is Outcome.FAIL
    assert found(answering(), name, ALERTS).seen.endswith("infra/secops/gti_dtm_alerts.conf")
    assert found(answering(), name, LISTS).seen.startswith(
        f"threat_lists: {LOG_TYPE} has no active parser; the project's"
    )
    assert found(answering(), name, UNPARSED).seen == f"threat_actors: {LOG_TYPE} has no active parser"
    assert found(answering(), name, GOOGLES) == Finding(Outcome.PASS, "Google's parser reads every log type")
