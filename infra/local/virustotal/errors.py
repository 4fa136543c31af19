"""Error answers as the API documents them (docs.virustotal.com/reference/errors); other texts are our own words."""

from datetime import datetime

from infra.local.web import Answer, json_answer


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    """Return an error as the API writes it."""
    return json_answer(status, {"error": {"code": code, "message": message}}, headers)


def key_missing() -> Answer:
    """Return the documented answer to a request without a key."""
    return error(401, "AuthenticationRequiredError", "X-Apikey header is missing")


def key_wrong() -> Answer:
    """Return the answer to a key that is not known."""
    return error(401, "WrongCredentialsError", "Wrong API key")


def bad_package(name: str) -> Answer:
    """Return the answer to a package name that is no minute."""
    return error(400, "BadRequestError", f"{name!r} is not a package name; write YYYYMMDDhhmm")


def not_available_yet(name: str, available: datetime) -> Answer:
    """Return the answer to a package that is not out yet; the text follows the one known of threat lists."""
    return error(400, "NotAvailableYet", f"Package {name} can be had from {available:%Y-%m-%d at %H:%M} UTC")


def not_found(what: str) -> Answer:
    """Return the answer to what does not exist, or no longer."""
    return error(404, "NotFoundError", f"{what} not found")
