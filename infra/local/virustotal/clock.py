"""The simulator's clock: real, with an offset, or stopped, so that tests need not wait for a minute."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict

from infra.local.web import Answer, Request, Respond
from shared.contracts.minutes import utc_now


class ClockSetting(BaseModel):
    """The clock's setting: an offset to the real time in seconds, or a fixed time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    offset: float = 0.0
    fixed: AwareDatetime | None = None


class Clock:
    """The simulator's clock."""

    def __init__(self) -> None:
        self.setting = ClockSetting()

    def now(self) -> datetime:
        """Return the current UTC time of the simulator."""
        if self.setting.fixed is not None:
            return self.setting.fixed.astimezone(UTC)
        return utc_now() + timedelta(seconds=self.setting.offset)


def dated(respond: Respond, clock: Clock) -> Respond:
    """Return a handler whose responses have the simulator's time as their Date once its clock was changed."""

    def respond_dated(request: Request) -> Answer:
        answer = respond(request)
        if clock.setting == ClockSetting():
            return answer
        return replace(answer, headers={"Date": format_datetime(clock.now(), usegmt=True), **answer.headers})

    return respond_dated
