"""The planner's settings."""

from datetime import timedelta

from pydantic import Field

from shared.contracts.minutes import HORIZON, ONE_MINUTE
from shared.runtime.settings import MeshSettings


class PlannerSettings(MeshSettings):
    """How many minutes back the first run of a feed begins."""

    plan_back_minutes: int = Field(0, ge=0, lt=HORIZON // ONE_MINUTE - 61, validation_alias="PLAN_BACK")

    @property
    def plan_back(self) -> timedelta:
        """How far back the first run of a feed begins."""
        return timedelta(minutes=self.plan_back_minutes)
