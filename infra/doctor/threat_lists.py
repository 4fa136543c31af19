"""Checks of GTI's threat lists: which of them the key may read, and whether an hour is served when it is due."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial

from pydantic import SecretStr

from shared.contracts.minutes import ONE_MINUTE, Period, format_minute
from shared.operations.doctor.check import Check, Finding, failed, passed, passed_unless, unknown
from shared.virustotal.client import FixedKey, VirusTotal
from shared.virustotal.errors import KeyRefused, NotAvailableYet, NotLicensed, PackageMissing, RequestRefused
from shared.virustotal.threat_lists import LISTS, ThreatListReader

_NOT_NAMED = (NotLicensed, PackageMissing, RequestRefused)
# Every tier has this one.
_ANY_TIER = "ransomware"


def threat_list_checks(
    *, api_url: str, key: Callable[[], SecretStr], lists: Sequence[str], period: Period, now: datetime
) -> Iterator[Check]:
    """Yield the checks, which make one request for the names and two for one indicator each.

    `lists` are those of THREAT_LISTS, and `period` has the lag of THREAT_LISTS_LAG_MINUTES.
    """

    def reader() -> ThreatListReader:
        return ThreatListReader(VirusTotal(api_url=api_url, key=FixedKey(key())), limit=1)

    yield Check(
        name="threat lists",
        relies_on="VirusTotal names the threat lists that the key may read, and those in THREAT_LISTS are among them",
        look=lambda: _named(reader(), lists),
        meaning="a list that the key may not read is left out of every hour",
        remedy="take the list out of THREAT_LISTS (in Terraform `threat_lists`), or ask for the tier that has it",
        local=True,
    )
    yield Check(
        name="lag of threat lists",
        relies_on="an hour of threat lists is served THREAT_LISTS_LAG_MINUTES after it begins",
        look=lambda: _lag(reader(), lists[0] if lists else _ANY_TIER, period, now),
        meaning="hours are requested too early, which is refused, and only the sweep brings them later",
        remedy="set THREAT_LISTS_LAG_MINUTES (in Terraform `threat_lists_lag_minutes`) to the lag that is seen",
        local=True,
    )


def _named(reader: ThreatListReader, lists: Sequence[str]) -> Finding:
    try:
        named = reader.names()
    except KeyRefused as error:
        return failed(str(error))
    except _NOT_NAMED as error:
        return unknown(f"the downloader asks for every list that it knows: {error}")
    if not named:
        return unknown("the answer names no list; the downloader asks for every list that it knows")
    missing = [f"{name} is in THREAT_LISTS, and VirusTotal does not name it" for name in lists if name not in named]
    others = sorted(set(LISTS) - set(named))
    seen = f"the key may read {', '.join(named)}" + (f"; not {', '.join(others)}" if others else "")
    return passed_unless(missing, seen)


def _lag(reader: ThreatListReader, name: str, period: Period, now: datetime) -> Finding:
    due = period.last_due(now)
    served = partial(_is_served, reader, name)
    lag = period.availability // ONE_MINUTE
    try:
        if not served(due):
            return failed(f"{format_minute(due)} is due by a lag of {lag} minutes, and is not served yet")
        early = served(due + period.length)
    except NotLicensed:
        return unknown(f"the key may not read {name}")
    if early:
        after = (now - due - period.length) // ONE_MINUTE
        return passed(f"an hour is served {after} minutes after it begins or earlier; the lag of {lag} could be less")
    return passed(f"{format_minute(due)} is served, and the hour after it is not yet: a lag of {lag} minutes fits")


def _is_served(reader: ThreatListReader, name: str, hour: datetime) -> bool:
    try:
        reader.indicators(name, hour)
    except NotAvailableYet:
        return False
    return True
