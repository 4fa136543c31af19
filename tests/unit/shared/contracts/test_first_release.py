"""Dead letters of the first release have only a text, and are still read."""

import pytest

from shared.contracts.dead_letters import dead_error_type, dead_letter_type
from shared.contracts.first_release import type_of_reason

# As 0.1.0 wrote them.
REASONS = {
    "attempts spent: 100 deliveries by downloader": "attempts_spent",
    "the message has no body; publish JSON, not attributes alone": "invalid_message",
    "the message cannot be read: minute: missing": "invalid_message",
    "feed 'urls' is not switched on here; FEEDS has: domains": "feed_off",
    "stream 'x' is not switched on here; STREAMS has: ioc_stream": "stream_off",
    "the forwarder is off: CHRONICLE_CUSTOMER_ID is not set": "stream_off",
    "minute 2026-11-21T14:10:00Z lies in the future": "minute_in_future",
    "minute 2026-11-21T14:10:00Z lies in the future, or years back": "minute_in_future",
    "minute 2026-11-21T14:10:00Z is older than the 7 days that the source keeps, and it has never landed": (
        "minute_expired"
    ),
    "package domains 202611211410: VirusTotal answered 403 ForbiddenError: no; the key's owner has no licence for it": (
        "not_licensed"
    ),
    "package domains 202611211410: VirusTotal answered 400 InvalidArgumentError: Invalid argument": "request_refused",
    "source changed: gs://b/x has landed, the source now gives gs://b/y, kept beside it": "source_changed",
    "gs://b/x is not there any more; delete gs://b/y.json and replay the minute to land it anew": "object_missing",
    "gs://b/x is not there; it may have been deleted by the bucket's lifecycle": "object_missing",
    "7 rejected lines of 5 cannot be": "invalid_message",
    "'gs://b/x' is no landed object of domains 2026-11-21T14:10:00Z in bucket 'b'": "invalid_message",
    "gs://b/x is no page of 'ioc_stream' in bucket 'b'": "invalid_message",
    "gs://b/x is a page of stream 'a', not of 'b'": "invalid_message",
    "gs://b/x is no page: it has no list of items": "invalid_page",
    "gs://b/x is no JSON: unexpected end of data": "invalid_page",
    "item 3 of page 7 of 'ioc_stream' is no JSON: unexpected end of data": "invalid_page",
    "logs:import was answered 400: INVALID_ARGUMENT: no such log type; 4 of 40 items are left": "secops_refused",
    "item 17 needs a request of 5000000 bytes, above the limit of 3900000 (SECOPS_MAX_REQUEST_BYTES)": "oversize",
    "somebody wrote this by hand": "unknown",
    "": "unknown",
}


@pytest.mark.parametrize(("reason", "error_type"), REASONS.items())
def test_a_reason_of_the_first_release_has_a_type(reason: str, error_type: str) -> None:
    """The text comes from a letter's attribute or a ledger row."""
    assert type_of_reason(reason) == error_type
    assert dead_letter_type(None, reason) == error_type
    if reason:
        assert dead_error_type({"reason": reason}) == error_type


def test_what_a_letter_says_of_itself_goes_before_its_prose() -> None:
    """The text is ignored if there is a type, even one of a later revision."""
    spent = "attempts spent: 100 deliveries by downloader"
    assert dead_error_type({"error_type": "oversize", "reason": spent}) == "oversize"
    assert dead_error_type({"error_type": "of_tomorrow", "reason": spent}) == "unknown"


def test_what_pubsub_gave_up_has_its_attempts_spent() -> None:
    """Pub/Sub's dead letters have a subscription and a count, but neither type nor reason."""
    assert dead_error_type({"CloudPubSubDeadLetterSourceDeliveryCount": "100"}) == "attempts_spent"
