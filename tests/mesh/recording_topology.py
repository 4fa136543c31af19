"""The declared topology with a recording function in place of every service."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from infra.topology import Topology, read_topology

FUNCTION = Path(__file__).with_name("recording_service.py")


def recording_topology(source: Path = FUNCTION, *, only: Collection[str] = ()) -> Topology:
    """Return a topology for one machine with fast retries and another function as every service.

    Only the loader's messages have few attempts: five can be over before a killed service runs again. With `only`,
    there are no other services, and nothing is delivered to others.
    """
    data = read_topology("local").model_dump(exclude_none=True)
    if only:
        data["services"] = {name: one for name, one in data["services"].items() if name in only}
        data["schedules"] = {name: one for name, one in data["schedules"].items() if one["service"] in only}
        data["subscriptions"] = {
            name: one
            for name, one in data["subscriptions"].items()
            if "push" not in one or one["push"]["service"] in only
        }
    for service in data["services"].values():
        service |= {"source": str(source), "target": "handle"}
    for subscription in data["subscriptions"].values():
        if "dead_letter" in subscription and subscription["push"]["service"] == "loader":
            subscription["dead_letter"] |= {"max_attempts": 5}
        if "backoff" in subscription:
            subscription["backoff"] = {"minimum_seconds": 0, "maximum_seconds": 1}
    return Topology.model_validate(data)


def recorded(record: Path, service: str) -> list[dict[str, Any]]:
    """Return a service's recorded requests; the last line may be incomplete while the service writes it."""
    if not record.exists():
        return []
    *lines, _ = record.read_text(encoding="utf-8").split("\n")
    requests = [json.loads(line) for line in lines]
    return [request for request in requests if request["service"] == service]
