"""Faults of load jobs in the BigQuery emulator, and their client."""

from typing import ClassVar

from infra.local.faults.client import FaultsControl
from infra.local.faults.rules import AtLeastOne
from infra.local.faults.rules import Rule as AnyRule

CONTROL = "/control/faults"
LIMIT = "Exceeded rate limits: too many table update operations for this table"


class Rule(AnyRule):
    """One fault of load jobs, fired once unless `times` is set.

    refused: 403 rateLimitExceeded, and the id stays free; limited: the job starts and fails with that reason, and its
    id is used up; unseen: 404 for an existing job (cloud.google.com/bigquery/docs/error-messages).
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"refused", "limited", "unseen"})

    times: AtLeastOne | None = 1


class JobFaults(FaultsControl):
    """Scripts the faults of the emulator at an address."""

    control_path = "bigquery/v2/control"
