"""Deliver items under the lease of their delivery object, and record conditions of the destination.

At most one request is ambiguous: it was accepted, but its response was lost or the process was killed before that was
recorded. It is posted again with the same bytes. So delivery is at-least-once.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from services.secops_forwarder.importer.chunks import Item, Limits
from services.secops_forwarder.importer.errors import DestinationRefused
from services.secops_forwarder.importer.items import Items
from services.secops_forwarder.importer.request import Form
from services.secops_forwarder.importer.sending import Imports, Sending, TimeSpent
from services.secops_forwarder.importer.smaller_limits import SmallerLimits
from shared.contracts.dead_letters import given_up
from shared.contracts.interfaces import Bucket, Publisher
from shared.contracts.outcomes import Misconfigured, Poison, Retryable
from shared.operations.feed_conditions import destination_conditions
from shared.runtime.json_bytes import read_object
from shared.streams.delivery_progress import Lease
from shared.streams.forwarded import Forwarded
from shared.streams.page_log import landed_message, write_page

# With the last request that begins within it (LONGEST_IMPORT_SECONDS), less than the service's time limit.
LONGEST_DELIVERY = timedelta(seconds=240)

log = logging.getLogger(__name__)


class Deliveries:
    """Delivers the items of objects in the bucket; thread-safe."""

    def __init__(
        self,
        *,
        secops: Imports,
        bucket: Bucket,
        publisher: Publisher,
        form: Form,
        limits: Limits,
        now: Callable[[], datetime],
    ) -> None:
        self._secops = secops
        self._bucket = bucket
        self._publisher = publisher
        self._form = form
        self._limits = limits
        self._now = now
        self._smaller = SmallerLimits()
        self._conditions = destination_conditions(bucket)

    def deliver(self, forwarded: Forwarded, items: Items, uri: str, delivery: str, crc32c: str | None) -> None:
        """Deliver what is left of the items of the object at an address; raise Poison or Retryable otherwise.

        delivery is the name of their delivery object, and crc32c the checksum of the items' object that it keeps.
        """
        with Lease(self._bucket, delivery, items.count, self._now, crc32c) as lease:
            if lease.delivery.finished:
                log.info("secops.delivered_before: %s", uri)
                return
            self._send(forwarded, items, uri, lease)
            log.info("secops.delivered: %s in %d requests", uri, lease.delivery.requests)

    def _send(self, forwarded: Forwarded, items: Items, uri: str, lease: Lease) -> None:
        end = self._now() + LONGEST_DELIVERY
        sending = Sending(
            secops=self._secops,
            forwarded=forwarded,
            items=items,
            lease=lease,
            form=replace(self._form, source=uri),
            limits=self._limits,
            smaller=self._smaller,
            late=lambda: self._now() > end,
            set_aside=lambda item, poison: self._bury(forwarded, items, item, poison),
        )
        try:
            sending.send()
        except TimeSpent:
            raise
        except Poison as poison:
            lease.keep(reason=poison.reason)
            raise
        except DestinationRefused as error:
            # A condition of the destination: otherwise everything in the backlog would become an equal dead letter.
            log.error("secops.destination_refused: %s", error, extra={"fields": {"error_type": error.error_type}})
            self._conditions.report(forwarded.name, error, self._now())
            raise
        except (Retryable, Misconfigured) as error:
            self._conditions.keep(forwarded.name, error, self._now())
            raise
        if self._conditions.read(forwarded.name):
            self._conditions.clear(forwarded.name)

    def _bury(self, forwarded: Forwarded, items: Items, item: Item, poison: Poison) -> None:
        """Store one item as a separate page, with a dead letter that has the reason."""
        date = _date(forwarded, item)
        alone = items.head.model_copy(update={"first_date": date, "last_date": date, "seen": {}})
        name = f"streams/{forwarded.name}/oversize/{items.stem}-{item.position:04d}.json"
        # False: an interrupted delivery has created the same object.
        self._bucket.create(name, write_page(alone, [item.text]))
        self._publisher.publish(given_up(landed_message(alone, 1, self._bucket.uri(name)), poison))


def _date(forwarded: Forwarded, item: Item) -> datetime | None:
    try:
        return forwarded.date_of(read_object(item.text))
    except ValueError:
        return None
