"""The fault control endpoint."""

from collections.abc import Callable, Mapping

from pydantic import TypeAdapter

from infra.local.faults.rules import FaultBook, R
from infra.local.web import Request, Route, json_route


def fault_routes(book: FaultBook[R], rule: type[R], path: str = "/control/faults") -> list[Route]:
    """Return the routes by which a client reads, sets, adds and ends rules."""
    read = TypeAdapter(list[rule]).validate_json  # type: ignore[valid-type] # known only at run time

    def show(_: Request) -> list[dict[str, object]]:
        return [{**one.model_dump(exclude_defaults=True), "fired": fired} for one, fired in book.fired()]

    def change(by: Callable[[Request], None]) -> Callable[[Request], object]:
        def respond(request: Request) -> object:
            by(request)
            return show(request)

        return respond

    return [
        json_route("GET", path, show),
        json_route("PUT", path, change(lambda request: book.replace(read(request.body)))),
        json_route("POST", path, change(lambda request: book.add(read(request.body)))),
        json_route("DELETE", path, change(lambda request: book.remove(_known(rule, request.query)))),
    ]


def _known(rule: type[R], fields: Mapping[str, str]) -> Mapping[str, str]:
    # A misspelt field would silently match nothing.
    if unknown := fields.keys() - rule.model_fields.keys():
        raise ValueError(f"unknown field {min(unknown)!r}; known fields: {', '.join(sorted(rule.model_fields))}")
    if (kind := fields.get("kind")) and kind not in rule.kinds:
        raise ValueError(f"unknown fault {kind!r}; known faults: {', '.join(sorted(rule.kinds))}")
    return fields
