"""The loader's settings."""

from datetime import timedelta

from pydantic import Field

from shared.settings import MeshSettings


class LoaderSettings(MeshSettings):
    """How long one minute's load jobs may take (seconds, below the 600 of the ack deadline)."""

    deadline_seconds: int = Field(480, ge=1, le=590, validation_alias="LOAD_DEADLINE_SECONDS")

    @property
    def deadline(self) -> timedelta:
        """How long one minute's load jobs may take."""
        return timedelta(seconds=self.deadline_seconds)
