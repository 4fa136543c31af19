"""Error responses as documented (docs.virustotal.com/reference/errors); undocumented texts are made up."""

from datetime import datetime

from infra.local.web import Answer, json_answer


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    """Return an error in the API's format."""
    return json_answer(status, {"error": {"code": code, "message": message}}, headers)


def key_missing() -> Answer:
    """Return the documented response to a request without a key."""
    return error(401, "AuthenticationRequiredError", "X-Apikey header is missing")


def key_wrong() -> Answer:
    """Return the response to an unknown key."""
    return error(401, "WrongCredentialsError", "Wrong API key")


def bad_package(name: str) -> Answer:
    """Return the response to a package name that is not a minute."""
    return error(400, "BadRequestError", f"{name!r} is not a package name; write YYYYMMDDhhmm")


def not_available_yet(name: str, available: datetime) -> Answer:
    """Return the response for a package that is not available yet; the text follows that of threat lists."""
    return error(400, "NotAvailableYet", f"Package {name} will be available from {available:%Y-%m-%d at %H:%M} UTC")


def not_found(what: str) -> Answer:
    """Return the response for a missing resource."""
    return error(404, "NotFoundError", f"{what} not found")
