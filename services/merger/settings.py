"""The merger's settings."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from shared.operations.health import FOLD_KEEP_HOURS, FOLD_MIN_ROWS
from shared.runtime.settings import MeshSettings

# BigQuery bills at least 10 MiB per query, so a smaller limit would refuse every one.
BytesBilled = Annotated[int, Field(ge=10 * 1024**2)] | None


class MergerSettings(MeshSettings):
    """Limits of merges and of folds: seconds, rows, and the maximum bytes billed (unset: no limit)."""

    # How often the schedule calls; it decides which feed's turn is first.
    every_minutes: int = Field(30, ge=5, le=30, validation_alias="MERGE_EVERY_MINUTES")
    # The schedule waits 1,800 s; an interrupted transaction is billed too.
    deadline_seconds: int = Field(1500, ge=1, le=1500, validation_alias="MERGE_DEADLINE_SECONDS")
    max_lines: int = Field(5_000_000, ge=1, validation_alias="MERGE_MAX_LINES")
    max_bytes_billed: BytesBilled = Field(None, validation_alias="MERGE_MAX_BYTES_BILLED")
    fold_deadline_seconds: int = Field(1200, ge=1, le=1500, validation_alias="FOLD_DEADLINE_SECONDS")
    fold_max_bytes_billed: BytesBilled = Field(None, validation_alias="FOLD_MAX_BYTES_BILLED")
    fold_min_rows: int = Field(FOLD_MIN_ROWS, ge=1, validation_alias="FOLD_MIN_ROWS")
    # Whole hours of recent that a fold leaves, the current one counted.
    fold_keep_hours: int = Field(FOLD_KEEP_HOURS, ge=0, le=48, validation_alias="FOLD_KEEP_HOURS")

    @property
    def deadline(self) -> timedelta:
        """The time limit of the merges of a run, of all feeds together."""
        return timedelta(seconds=self.deadline_seconds)

    @property
    def fold_deadline(self) -> timedelta:
        """The time limit of one fold."""
        return timedelta(seconds=self.fold_deadline_seconds)
