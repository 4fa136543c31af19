"""Records as JSON: values as protobuf writes them, names as UDM searches have them or as the API has them."""

from datetime import UTC, datetime

from pydantic.alias_generators import to_camel


def as_json(record: object) -> object:
    """Return a record with times and durations as texts."""
    if isinstance(record, datetime):
        return f"{record.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=_precision(record))}Z"
    if isinstance(record, dict):
        if record.keys() == {"seconds"}:
            return f"{record['seconds']}s"
        return {name: as_json(value) for name, value in record.items()}
    return [as_json(value) for value in record] if isinstance(record, list) else record


def _precision(moment: datetime) -> str:
    if moment.microsecond % 1000:
        return "microseconds"
    return "milliseconds" if moment.microsecond else "seconds"


def as_api_json(record: object) -> object:
    """Return what as_json gives as the API has it: camel case, whole numbers as texts, and no zeros."""
    if isinstance(record, dict):
        return {to_camel(name): as_api_json(value) for name, value in record.items() if value not in ("", 0)}
    if isinstance(record, list):
        return [as_api_json(value) for value in record]
    return str(record) if isinstance(record, int) and not isinstance(record, bool) else record
