"""The log types that a local mesh sends to the simulated tenant: one of the tenant's own for each stream."""

from shared.streams.definition import known_streams


def local_log_type(stream: str) -> str:
    """Return the log type of a stream; a tenant's own ends in `_CUSTOM`."""
    return f"GTI_{stream.upper()}_CUSTOM"


def local_log_types() -> dict[str, str]:
    """Return the settings for the log types of all streams."""
    return {stream.log_type_variable: local_log_type(stream.name) for stream in known_streams().values()}
