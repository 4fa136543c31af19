"""The simulator's clock: the real one, moved or stopped, so that nobody has to wait for a minute to come out."""

from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict


class ClockSetting(BaseModel):
    """Where the clock stands: offset seconds beside the real time, or fixed at a moment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    offset: float = 0.0
    fixed: AwareDatetime | None = None


class Clock:
    """Tells the time that the simulator lives in."""

    def __init__(self) -> None:
        self.setting = ClockSetting()

    def now(self) -> datetime:
        """Return the current UTC time of the simulator."""
        if self.setting.fixed is not None:
            return self.setting.fixed.astimezone(UTC)
        return datetime.now(UTC) + timedelta(seconds=self.setting.offset)
