"""Settings that only provisioning needs."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings

from shared.runtime.setting_types import Location
from shared.runtime.settings import MeshSettings


class WarehouseSettings(BaseSettings):
    """Locations of bucket and dataset, and the expiry of history (unset: never)."""

    model_config = MeshSettings.model_config

    location: Location = Field("US", validation_alias="BQ_LOCATION")
    # A minute can be replayed for 7 days from the source; history must at least outlive that.
    history_expiry_days: Annotated[int, Field(ge=8)] | None = Field(None, validation_alias="HISTORY_EXPIRY_DAYS")
