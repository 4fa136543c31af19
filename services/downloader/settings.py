"""The downloader's settings."""

from datetime import timedelta

from pydantic import Field, model_validator

from shared.settings import MeshSettings, VirusTotalSettings


class DownloaderSettings(MeshSettings, VirusTotalSettings):
    """Where packages come from, and how long one may take (seconds, below the 600 of the ack deadline)."""

    deadline_seconds: int = Field(480, ge=1, le=590, validation_alias="DOWNLOAD_DEADLINE_SECONDS")

    @model_validator(mode="after")
    def _there_is_a_key(self) -> "DownloaderSettings":
        if not self.api_key.get_secret_value() and not self.api_key_secret:
            raise ValueError("no API key: set VT_API_KEY, or VT_API_KEY_SECRET to the secret that holds it")
        return self

    @property
    def deadline(self) -> timedelta:
        """How long one download may take."""
        return timedelta(seconds=self.deadline_seconds)
