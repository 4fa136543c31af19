"""The loader's settings."""

from datetime import timedelta

from pydantic import Field

from shared.runtime.settings import MeshSettings, PushSettings


class LoaderSettings(MeshSettings, PushSettings):
    """The time limit of one minute's load jobs (seconds, below the ack deadline of 600), and their rate limit.

    jobs_per_second is for one staging table and one instance: all instances together must stay below BigQuery's limit
    of 5.
    """

    deadline_seconds: int = Field(480, ge=1, le=590, validation_alias="LOAD_DEADLINE_SECONDS")
    jobs_per_second: float = Field(0.9, gt=0, le=1000, validation_alias="LOAD_JOBS_PER_SECOND")

    @property
    def deadline(self) -> timedelta:
        """The time limit of one minute's load jobs."""
        return timedelta(seconds=self.deadline_seconds)
