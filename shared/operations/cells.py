"""BigQuery values as text for a terminal, CSV and JSON, in the format of TO_JSON."""

import base64
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Every command prints text, but few need BigQuery's client, which is slow to import.
    from google.cloud.bigquery import SchemaField

from shared.runtime.foreign_text import visible

NULL = "NULL"


def json_value(value: object) -> object:
    """Return a value as JSON types: timestamps end in Z, bytes are base64, numbers that JSON lacks are strings.

    As TO_JSON does (cloud.google.com/bigquery/docs/reference/standard-sql/json_functions, encodings).
    """
    match value:
        case None | bool() | int() | str():
            return value
        case Mapping():
            return {str(key): json_value(item) for key, item in value.items()}
        case list() | tuple():
            return [json_value(item) for item in value]
    return _WRITTEN.get(type(value), str)(value)


def _finite(value: float) -> object:
    return value if math.isfinite(value) else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]


_WRITTEN: Mapping[type, Callable[[Any], object]] = {
    float: _finite,
    bytes: lambda value: base64.b64encode(value).decode("ascii"),
    datetime: lambda value: value.isoformat().replace("+00:00", "Z"),
    date: date.isoformat,
    time: time.isoformat,
    Decimal: lambda value: f"{value.normalize():f}",
}


def csv_value(value: object, column: "SchemaField") -> str:
    """Return a value as a CSV field: NULL is empty; JSON, arrays and structs are JSON."""
    return "" if value is None else _text(value, column)


def terminal_value(value: object, column: "SchemaField") -> str:
    """Return a value for one line of a terminal, with control characters escaped."""
    return NULL if value is None else visible(_text(value, column))


def _text(value: object, column: "SchemaField") -> str:
    plain = json_value(value)
    if isinstance(plain, str) and column.field_type != "JSON":
        return plain
    return json.dumps(plain, ensure_ascii=False)
