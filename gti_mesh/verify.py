"""`gti-mesh secops verify`: compare the tenant's logs of a time window with what was delivered."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from infra.find_mesh import find_mesh
from services.secops_forwarder.build import build_secops
from services.secops_forwarder.folder_bucket import FolderBucket
from services.secops_forwarder.settings import SecOpsSettings
from services.secops_forwarder.standalone.bucket import without_bucket
from services.secops_forwarder.verify import Verified, verify
from shared.contracts.interfaces import Bucket
from shared.contracts.minutes import format_minute
from shared.contracts.outcomes import Misconfigured
from shared.runtime.settings import read_settings
from shared.streams.definition import Stream
from shared.streams.forwarded import FORWARDED_FEEDS

# The simulator has one tenant and accepts any customer ID.
_LOCAL_CUSTOMER = "0"


class TenantSettings(SecOpsSettings):
    """The forwarder's settings without VirusTotal's key, which is not needed here."""

    needs_api_key: ClassVar[bool] = False


def verify_stream(
    name: str, begin: datetime, end: datetime, *, folder: Path | None, state: Path | None, say: Callable[[str], None]
) -> bool:
    """Report the tenant's logs of a stream in a time window; return whether everything delivered is there."""
    if name in FORWARDED_FEEDS:
        raise Misconfigured(
            f"{name} cannot be verified: all logs of an hour have one time, and one search here reads 1,000 at most; "
            "`gti-mesh audit` compares each landed hour with its delivery"
        )
    bucket = _bucket(folder, state)
    settings = tenant_settings()
    if settings is None:
        raise Misconfigured("no tenant is configured: set CHRONICLE_CUSTOMER_ID to the SecOps customer id")
    stream = _stream(settings, name)
    verified = verify(build_secops(settings), bucket, stream, begin, end)
    window = f"{name} from {format_minute(begin)} to {format_minute(end)}"
    say(f"{window}: {verified.delivered} delivered, the tenant has {verified.found} of {stream.log_type}")
    _explain(verified, name, say)
    return verified.good


def _bucket(folder: Path | None, state: Path | None) -> Bucket:
    if folder:
        without_bucket()
        return FolderBucket(folder)
    # A running local mesh also sets the address of its SecOps.
    return find_mesh(state).bucket


def tenant_settings() -> SecOpsSettings | None:
    """Return the settings of the tenant, for a local mesh those of its simulator; None if there is none."""
    settings = read_settings(TenantSettings)
    if settings.on:
        return settings
    if settings.api_host.startswith("http://"):
        os.environ["CHRONICLE_CUSTOMER_ID"] = _LOCAL_CUSTOMER
        return read_settings(TenantSettings)
    return None


def _stream(settings: SecOpsSettings, name: str) -> Stream:
    streams = {stream.name: stream for stream in settings.delivered()}
    if name not in streams:
        raise Misconfigured(f"stream {name!r} does not go to SecOps; STREAMS has: {', '.join(streams)}")
    return streams[name]


def _explain(verified: Verified, name: str, say: Callable[[str], None]) -> None:
    if verified.found > verified.delivered:
        say(
            f"{verified.found - verified.delivered} more than delivered: some twice, as delivery is at least once, or"
            f" of another sender; so some of {name} were searched one by one"
        )
    for item in verified.missing:
        say(f"missing: {item.text}, of page {item.page}")
    if pages := sorted({item.page for item in verified.missing}):
        say(
            "logs take minutes until they are found; to send a page again, delete its .delivery.json and run "
            f"gti-mesh secops replay {name} {pages[0]}"
        )
