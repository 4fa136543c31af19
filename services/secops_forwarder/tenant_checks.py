"""The doctor's checks of the SecOps tenant: log types, parsers, and whether a log that is accepted also arrives."""

import base64
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from secrets import token_hex
from urllib.parse import urlsplit

from services.secops_forwarder.importer.client import SecOps
from services.secops_forwarder.importer.errors import ImportRefused, LogTypeMissing
from services.secops_forwarder.importer.request import Form, rfc3339
from services.secops_forwarder.verify import Delivered, Tenant
from shared.operations.doctor.check import Check, Finding, failed, passed, passed_unless, unknown
from shared.runtime.json_bytes import read_json, write_json
from shared.streams.definition import look_up
from shared.streams.forwarded import Forwarded

_LIST_PARSERS = "chronicle.parsers.list"
# A log is searchable minutes after it was accepted.
_ARRIVAL = timedelta(minutes=5)
_POLL_SECONDS = 10.0
# collection_time must be after log_entry_time.
_LATER = timedelta(milliseconds=1)

Sleep = Callable[[float], None]


def tenant_checks(
    secops: SecOps, forwarded: Sequence[Forwarded], now: Callable[[], datetime], sleep: Sleep = time.sleep
) -> Iterator[Check]:
    """Yield the checks for the streams that are switched on, and the feeds that are forwarded."""
    host = urlsplit(secops.instance.url("", "")).hostname
    yield Check(
        name="SecOps log types",
        relies_on=f"{host} is the tenant's host, and the tenant has every log type of a stream or feed",
        look=partial(_log_types, secops, forwarded),
        meaning="every page is refused and waits until the log type is there",
        remedy="choose an existing log type, or create one in SecOps and wait some hours; see docs/secops.md",
        local=True,
    )
    yield Check(
        name="SecOps parsers",
        relies_on="every log type without a parser of Google's has an active one",
        look=partial(_parsers, secops, forwarded),
        meaning="logs are kept and can be searched as text, but there are no events and no entities",
        remedy="install the stream's parser as docs/secops.md describes",
    )
    if forwarded:
        yield Check(
            name="SecOps import",
            relies_on="a log that is accepted is found by a raw log search within five minutes",
            look=partial(_import, secops, forwarded[0], now, sleep),
            meaning="the tenant accepts logs and drops them: notifications would be lost after their acceptance",
            remedy="compare log type and region with the tenant's; `gti-mesh secops verify` compares what was sent",
            local=True,
            consent=f"it leaves one marked log of type {forwarded[0].log_type} in the tenant, which cannot be removed",
        )


def _log_types(secops: SecOps, forwarded: Sequence[Forwarded]) -> Finding:
    problems: list[str] = []
    for one in forwarded:
        try:
            secops.check_log_type(one.log_type)
        except LogTypeMissing as error:
            problems.append(f"{one.name}: {error}")
    return passed_unless(problems, ", ".join(f"{one.name} has {one.log_type}" for one in forwarded))


def _parsers(secops: SecOps, forwarded: Sequence[Forwarded]) -> Finding:
    parsed = [one for one in forwarded if not one.verbatim]
    without = [one for one in parsed if not _has_parser(secops, one.log_type)]
    problems = [f"{one.name}: {one.log_type} has no active parser{_ours(one)}" for one in without]
    active = f"active for {', '.join(one.log_type for one in parsed)}"
    return passed_unless(problems, active if parsed else "Google's parser reads every log type")


def _ours(one: Forwarded) -> str:
    return f"; the project's is infra/secops/{one.parser}.conf" if one.parser else ""


def _has_parser(secops: SecOps, log_type: str) -> bool:
    answer = read_json(secops.call("GET", secops.instance.url(log_type, "parsers"), permission=_LIST_PARSERS))
    parsers = look_up(answer, "parsers")
    return isinstance(parsers, list) and any(look_up(one, "state") == "ACTIVE" for one in parsers)


def _import(secops: SecOps, first: Forwarded, now: Callable[[], datetime], sleep: Sleep) -> Finding:
    mark, at = f"gti-mesh-doctor-{token_hex(8)}", now()
    entry = {
        "data": base64.b64encode(write_json({"id": mark, "type": "gti-mesh-doctor"})).decode(),
        "log_entry_time": rfc3339(at),
        "collection_time": rfc3339(at + _LATER),
    }
    try:
        secops.import_logs(first.log_type, Form(source=mark).body([write_json(entry)]))
    except ImportRefused as error:
        return failed(str(error))
    return _await_arrival(Tenant(secops, first.log_type), Delivered(at, mark, 0), sleep)


def _await_arrival(tenant: Tenant, log: Delivered, sleep: Sleep) -> Finding:
    for waited in range(0, int(_ARRIVAL.total_seconds()), int(_POLL_SECONDS)):
        if tenant.has(log):
            return passed(f"found after {waited} s")
        sleep(_POLL_SECONDS)
    return unknown(f"accepted, and not found within {_ARRIVAL}; search the raw logs for {log.text} later")
