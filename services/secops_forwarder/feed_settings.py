"""The feeds whose landings go to SecOps, and their log types."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings

from services.secops_forwarder.stream_settings import LogTypeName
from shared.feeds.definition import THREAT_LISTS
from shared.runtime.setting_types import CommaList, known_by
from shared.runtime.settings import MeshSettings
from shared.streams.forwarded import ForwardedFeed, require_forwarded_feed


class ForwardedFeedSettings(BaseSettings):
    """A feed is off unless it is named; its log type is Google's unless another one is chosen."""

    model_config = MeshSettings.model_config

    forwarded_feed_names: Annotated[CommaList, known_by(require_forwarded_feed)] = Field(
        (), validation_alias="SECOPS_FEEDS"
    )
    log_type_threat_lists: LogTypeName = Field(
        "GCP_THREATINTEL", min_length=1, validation_alias="CHRONICLE_LOG_TYPE_THREAT_LISTS"
    )

    def forwarded_feeds(self) -> tuple[ForwardedFeed, ...]:
        """Return the feeds that are switched on."""
        log_types = {THREAT_LISTS: self.log_type_threat_lists}
        return tuple(ForwardedFeed(name, log_types[name]) for name in self.forwarded_feed_names)
