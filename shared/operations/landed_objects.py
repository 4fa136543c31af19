"""The objects of each landed minute in the bucket, compared with the ledger: manifest, package and rejects."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from shared.contracts.interfaces import Bucket, Listed
from shared.contracts.manifests import FIRST_DAY, load_rejects_name, next_landed_day, read_manifest
from shared.contracts.messages import MinuteLanded
from shared.contracts.minutes import day_folder, manifest_minute
from shared.contracts.outcomes import Misconfigured
from shared.feeds.definition import period_of
from shared.operations.accounts import MinuteAccount
from shared.operations.findings import Finding, about, about_package
from shared.operations.health import LOAD_OVERDUE
from shared.warehouse.ledger import content_of

# As many connections as the client keeps.
_READERS = 10


@dataclass(frozen=True)
class LandedMinute:
    """One minute's objects: its manifest, or why it cannot be read, and the missing or changed ones of the others."""

    minute: datetime
    created: datetime
    manifest: MinuteLanded | None = None
    error: str = ""
    damage: tuple[str, ...] = ()
    has_load_rejects: bool = False


@dataclass(frozen=True)
class LandedMinutes:
    """The landed minutes of a feed since a time, and the first day with objects in the bucket."""

    minutes: Mapping[datetime, LandedMinute]
    first_day: date | None


def read_landed(bucket: Bucket, feed: str, since: datetime) -> LandedMinutes:
    """List the objects of a feed, a day at a time, and read the manifests; packages are not read."""
    found: dict[datetime, LandedMinute] = {}
    first_day = day = next_landed_day(bucket, feed, FIRST_DAY)
    with ThreadPoolExecutor(_READERS) as readers:
        day = next_landed_day(bucket, feed, max(day, since.date())) if day else None
        while day:
            folder = day_folder(feed, day)
            objects = {one.name: one for one in bucket.listed(folder, folder)}
            manifests = [(minute, one) for name, one in objects.items() if (minute := manifest_minute(name))]
            wanted = [(minute, one) for minute, one in manifests if minute >= since]
            found |= readers.map(partial(_landed, bucket, feed, objects), *zip(*wanted, strict=True)) if wanted else ()
            day = next_landed_day(bucket, feed, date.fromordinal(day.toordinal() + 1))
    return LandedMinutes(found, first_day)


def _landed(
    bucket: Bucket, feed: str, there: Mapping[str, Listed], minute: datetime, listed: Listed
) -> tuple[datetime, LandedMinute]:
    try:
        manifest = read_manifest(bucket, feed, minute)
    except Misconfigured as error:
        return minute, LandedMinute(minute, listed.created, error=str(error).partition("; to land")[0])
    if manifest is None:
        return minute, LandedMinute(minute, listed.created, error=f"{bucket.uri(listed.name)} is gone")
    expected = [(manifest.uri, "package", manifest.object_crc32c)]
    if manifest.rejects_uri:
        expected.append((manifest.rejects_uri, "rejects object", manifest.rejects_crc32c))
    damage = (_damage(there.get(bucket.name_of(uri)), uri, kind, crc32c) for uri, kind, crc32c in expected)
    rejects = load_rejects_name(bucket, manifest) in there
    return minute, LandedMinute(
        minute, listed.created, manifest, damage=tuple(filter(None, damage)), has_load_rejects=rejects
    )


def _damage(found: Listed | None, uri: str, kind: str, crc32c: str | None) -> str:
    if found is None:
        return f"its {kind} {uri} is gone"
    changed = crc32c and found.crc32c and crc32c != found.crc32c
    return f"its {kind} {uri} has changed since it landed" if changed else ""


def compare_landed(
    feed: str, accounts: Mapping[datetime, MinuteAccount], landed: LandedMinutes, now: datetime
) -> Iterator[Finding]:
    """Yield the differences between ledger and bucket for a minute."""
    for minute in sorted({*accounts, *landed.minutes}):
        account, there = accounts.get(minute, MinuteAccount(minute, None)), landed.minutes.get(minute)
        if there is None:
            yield from _not_landed(feed, account, landed.first_day, now)
        elif there.manifest is None:
            yield about_package(feed, minute, there.error, now)
        else:
            yield from (about_package(feed, minute, text, now) for text in there.damage)
            yield from _compare(feed, account, there, there.manifest, now)


def _not_landed(feed: str, account: MinuteAccount, first_day: date | None, now: datetime) -> Iterator[Finding]:
    # What has come further since the audit began may have landed after the bucket was listed.
    if account.uri is None or (account.at and account.at >= now):
        return
    minute, period = account.minute, period_of(feed)
    text = "has landed by the ledger, and its manifest is gone"
    # What is older than the bucket's first day may have left it by its lifecycle.
    if minute >= period.oldest_served(now) or (first_day and minute.date() > first_day):
        yield about(feed, minute, text) if period.still_has(minute, now) else about_package(feed, minute, text, now)


def _compare(
    feed: str, account: MinuteAccount, there: LandedMinute, manifest: MinuteLanded, now: datetime
) -> Iterator[Finding]:
    minute = account.minute
    content = content_of(account.crc32c, account.job_id)
    if account.state in (None, "due", "absent"):
        if now - there.created > LOAD_OVERDUE:
            yield about(feed, minute, f"has landed and is {account.known_as} in the ledger")
    elif account.state == "dead":
        return
    elif content and content != manifest.crc32c:
        text = f"source changed: the manifest has content {manifest.crc32c}, and {content} was taken in"
        yield about(feed, minute, text, "--replace")
    elif account.lines is not None and account.lines != manifest.lines:
        right = manifest.lines == account.history_rows + (account.rejected or 0)
        text = f"has {manifest.lines} lines by its manifest, and {account.lines} by the ledger"
        yield about(feed, minute, text) if right else about_package(feed, minute, text, now)
    elif (account.rejected or 0) > manifest.rejected and not there.has_load_rejects:
        text = f"has {account.rejected} rejected lines, {manifest.rejected} in its manifest, and no load rejects object"
        yield about(feed, minute, text, "--replace")
