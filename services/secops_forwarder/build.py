"""Build the forwarder from its settings, with clients of VirusTotal, Cloud Storage, Pub/Sub and SecOps."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from services.secops_forwarder.importer.chunks import Limits
from services.secops_forwarder.importer.client import Instance, SecOps, anonymous_session, authorized_session
from services.secops_forwarder.importer.delivering import Deliveries
from services.secops_forwarder.importer.page_importer import Importer
from services.secops_forwarder.importer.request import Form
from services.secops_forwarder.importer.sending import Imports
from services.secops_forwarder.poll.landing_republish import LandingPoll, LandingRepublisher
from services.secops_forwarder.poll.log_type_check import LogTypeCheck
from services.secops_forwarder.poll.poller import Poller, PollResult
from services.secops_forwarder.poll.relations import Relations
from services.secops_forwarder.settings import SecOpsSettings
from shared.contracts.interfaces import Bucket, Publisher
from shared.contracts.minutes import utc_now
from shared.operations.feed_conditions import log_type_conditions, stream_conditions
from shared.streams.definition import Stream
from shared.streams.forwarded import ForwardedFeed
from shared.virustotal.alert_reader import AlertReader, PagedLists
from shared.virustotal.client import VirusTotal, once
from shared.virustotal.issue_reader import IssueReader
from shared.virustotal.keys import find_key
from shared.virustotal.list_reader import ListReader


@dataclass(frozen=True)
class Components:
    """The components of the entry points; each target uses its own."""

    settings: SecOpsSettings
    bucket: Bucket
    publisher: Publisher
    secops: Imports | None
    now: Callable[[], datetime]

    @cached_property
    def poller(self) -> Poller:
        """The poller, for the schedule."""
        return build_poller(self.settings, self.bucket, self.publisher, now=self.now)

    @cached_property
    def log_types(self) -> LogTypeCheck:
        """The check of log types, for the schedule."""
        return LogTypeCheck(build_secops(self.settings), self.bucket, self.now)

    def poll(self, stream: Stream, until: datetime) -> PollResult:
        """Poll a stream until a time, after checking whether the tenant has its log type."""
        if stream.to_secops:
            self.log_types.check(stream)
        return self.poller.poll(stream, until)

    def poll_feed(self, feed: ForwardedFeed, until: datetime) -> LandingPoll:
        """Announce a feed's overdue landings until a time, after checking whether the tenant has its log type."""
        self.log_types.check(feed)
        return LandingRepublisher(self.bucket, self.publisher, self.now).poll(feed.name, until)

    def forget_what_is_off(self) -> None:
        """Delete the conditions of what is switched off: one that was in trouble would be a problem for ever."""
        forwarded = self.settings.forwarded_feed_names
        stream_conditions(self.bucket).keep_only([*forwarded, *(one.name for one in self.settings.polled())])
        log_type_conditions(self.bucket).keep_only([*forwarded, *(one.name for one in self.settings.delivered())])

    @cached_property
    def importer(self) -> Importer:
        """The importer, for pushed pages."""
        return build_importer(self.settings, self.bucket, self.publisher, secops=self.secops, now=self.now)


def build(
    settings: SecOpsSettings,
    *,
    bucket: Bucket | None = None,
    publisher: Publisher | None = None,
    secops: Imports | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Components:
    """Connect to Google Cloud; arguments replace the real clients."""
    # The standalone forwarder has neither a bucket in Cloud Storage nor Pub/Sub, and imports neither client.
    from shared.gcp.pubsub import PubSubPublisher
    from shared.gcp.storage import landing_bucket

    bucket = bucket or landing_bucket(settings)
    return Components(settings, bucket, publisher or PubSubPublisher(settings.project, settings.prefix), secops, now)


def build_poller(
    settings: SecOpsSettings, bucket: Bucket, publisher: Publisher, *, now: Callable[[], datetime] = utc_now
) -> Poller:
    """Return a poller of VirusTotal."""
    key = find_key(settings, settings.project)
    api = VirusTotal(api_url=settings.api_url, key=key)
    lists = ListReader(api)
    # A page of alerts cannot be requested again, and refused requests count.
    alerts = AlertReader(VirusTotal(api_url=settings.api_url, key=key, retry=once))
    return Poller(
        source=PagedLists(lists=lists, alerts=alerts),
        issues=IssueReader(api, settings.asm_projects),
        relations=Relations(lists, settings.relations, settings.relations_limit),
        bucket=bucket,
        publisher=publisher,
        form=_form(settings, build_secops(settings)),
        limits=_limits(settings),
        now=now,
        deadline=settings.deadline,
        page_size=settings.page_size,
        second_look=settings.second_look,
    )


def build_importer(
    settings: SecOpsSettings,
    bucket: Bucket,
    publisher: Publisher,
    *,
    secops: Imports | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Importer:
    """Return an importer into the settings' SecOps instance, or into the given replacement."""
    instance = build_secops(settings)
    deliveries = Deliveries(
        secops=secops or instance,
        bucket=bucket,
        publisher=publisher,
        form=_form(settings, instance),
        limits=_limits(settings),
        now=now,
    )
    feeds = settings.forwarded_feeds()
    return Importer(bucket=bucket, deliveries=deliveries, streams=settings.delivered(), feeds=feeds, now=now)


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
