"""Query rows as JSON, many in one.

BigQuery's client takes longer to convert 50,000 rows, value by value, than the query takes to run. Times are
microseconds since 1970 (UNIX_MICROS).
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from google.cloud.bigquery import Row

_ROWS = msgspec.json.Decoder(list[dict[str, Any]])
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def unpacked(rows: Iterable[Row], moments: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield the rows in the column `packed`, with these columns as times."""
    for row in rows:
        for one in _ROWS.decode(row["packed"]):
            for name in moments:
                if one[name] is not None:
                    one[name] = _EPOCH + timedelta(microseconds=one[name])
            yield one
