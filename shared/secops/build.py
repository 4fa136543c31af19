"""Build poller and importer from the settings and their edges."""

from collections.abc import Callable
from datetime import UTC, datetime

from shared.ports import Bucket, Publisher
from shared.secops.chunks import Limits
from shared.secops.client import Instance, SecOps, anonymous_session, authorized_session
from shared.secops.deliver import Importer, Imports
from shared.secops.poll import Poller
from shared.secops.request import Form
from shared.secops.settings import SecOpsSettings
from shared.virustotal.client import VirusTotal
from shared.virustotal.keys import find_key
from shared.virustotal.pages import Pages


def _now() -> datetime:
    return datetime.now(UTC)


def build_poller(
    settings: SecOpsSettings, bucket: Bucket, publisher: Publisher, *, now: Callable[[], datetime] = _now
) -> Poller:
    """Return a poller of VirusTotal."""
    api = VirusTotal(api_url=settings.api_url, key=find_key(settings, settings.project))
    return Poller(
        source=Pages(api),
        bucket=bucket,
        publisher=publisher,
        form=_form(settings, build_secops(settings)),
        limits=_limits(settings),
        now=now,
        deadline=settings.deadline,
        page_size=settings.page_size,
    )


def build_importer(
    settings: SecOpsSettings,
    bucket: Bucket,
    publisher: Publisher,
    *,
    secops: Imports | None = None,
    now: Callable[[], datetime] = _now,
) -> Importer:
    """Return an importer into the settings' SecOps instance, or through what is given in its place."""
    instance = build_secops(settings)
    return Importer(
        secops=secops or instance,
        bucket=bucket,
        publisher=publisher,
        streams=settings.streams(),
        form=_form(settings, instance),
        limits=_limits(settings),
        now=now,
    )


def build_secops(settings: SecOpsSettings) -> SecOps:
    """Return a client of the settings' SecOps instance; http:// means a server on this machine, without credentials."""
    instance = Instance(
        host=settings.api_host or settings.host,
        version=settings.api_version,
        project=settings.chronicle_project or settings.project,
        region=settings.region,
        customer_id=settings.customer_id,
    )
    return SecOps(instance, anonymous_session if instance.host.startswith("http://") else authorized_session)


def _form(settings: SecOpsSettings, secops: SecOps) -> Form:
    return Form(
        clean=settings.clean,
        namespace=settings.namespace,
        use_case=settings.use_case,
        forwarder=secops.instance.forwarder(settings.forwarder_id),
    )


def _limits(settings: SecOpsSettings) -> Limits:
    return Limits(bytes=settings.max_request_bytes, logs=settings.max_request_logs)
