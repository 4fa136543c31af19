"""The downloader's settings."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from shared.runtime.settings import MeshSettings, PushSettings, VirusTotalSettings
from shared.virustotal.threat_lists import ListNames

_UNITS = {"Mi": 2**20, "Gi": 2**30}


def _bytes(written: object) -> object:
    if not isinstance(written, str):
        return written
    found = re.fullmatch(r"([1-9][0-9]{0,5})(Mi|Gi)", written)
    if found is None:
        raise ValueError("write it as infra/topology.yaml does, 512Mi or 1Gi for example")
    return int(found[1]) * _UNITS[found[2]]


class DownloaderSettings(MeshSettings, PushSettings, VirusTotalSettings):
    """The source of packages, the time limit of one (seconds, below the ack deadline of 600), and the memory limit.

    `threat_lists` are the lists to read; empty means all that the key may read. `memory_limit` is in bytes; Terraform
    sets it to the memory that infra/topology.yaml declares.
    """

    deadline_seconds: int = Field(480, ge=1, le=590, validation_alias="DOWNLOAD_DEADLINE_SECONDS")
    threat_lists: ListNames = Field((), validation_alias="THREAT_LISTS")
    memory_limit: Annotated[int, BeforeValidator(_bytes)] = Field(2**30, validation_alias="MEMORY_LIMIT")

    @model_validator(mode="after")
    def _there_is_a_key(self) -> "DownloaderSettings":
        # A stream's packages come from the bucket.
        if self.package_feeds or not self.streams_to_bigquery:
            self.require_api_key()
        return self

    @property
    def deadline(self) -> timedelta:
        """The time limit of one download."""
        return timedelta(seconds=self.deadline_seconds)
