"""The lines of a landing as the items of a delivery."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from shared.contracts.interfaces import Bucket
from shared.contracts.messages import MinuteLanded
from shared.contracts.minutes import format_minute
from shared.streams.landed_lines import landed_lines
from shared.streams.landing_log import aside_stem, items_of, landing_head
from shared.streams.page_log import PageHead


@dataclass(frozen=True)
class LandingItems:
    """The lines of the landing that a manifest commits."""

    bucket: Bucket
    landed: MinuteLanded

    @property
    def head(self) -> PageHead:
        """The landing as a page without its items."""
        return landing_head(self.landed)

    @property
    def count(self) -> int:
        """The number of lines by the manifest."""
        return items_of(self.landed)

    @property
    def what(self) -> str:
        """The landing's name for people."""
        return f"the landing of {self.landed.feed} {format_minute(self.landed.minute)}"

    @property
    def stem(self) -> str:
        """The number of the hour and the checksum of its content, which is another one after another landing."""
        return aside_stem(self.landed)

    @property
    def alone(self) -> bool:
        """Never: a single line too is set aside, because a redrive of the landing itself would go to the loader too."""
        return False

    def since(self, first: int) -> Iterator[bytes]:
        """Yield the lines from a position on; raise Poison if the object is missing or is not the manifest's."""
        return islice(landed_lines(self.bucket, self.landed), first, None)
