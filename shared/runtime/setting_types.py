"""Types of settings: the allowed values, and an error that says what to write instead.

Checked at start-up, because the cloud would reject a mistyped value much later and less clearly. An error names the
position of the wrong character; a secret is never shown.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from shared.contracts.outcomes import Misconfigured
from shared.contracts.validation_errors import HIDDEN

VIRUSTOTAL_API = "https://www.virustotal.com/api/v3"
_SECOPS_HOST = "https://eu-chronicle.googleapis.com"

_VISIBLE = re.compile(r"[!-~]", re.ASCII)

# The characters of a bearer token (RFC 6750, 2.1); a key of VirusTotal has 64 hexadecimal digits.
_KEY_CHARACTERS = re.compile(r"[A-Za-z0-9._~+/=-]", re.ASCII)
_LONG_HEX = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_SECRET_NAME = re.compile(r"(projects/[a-z0-9.:-]+/secrets/)?[A-Za-z0-9_-]{1,255}(/versions/[A-Za-z0-9_-]+)?", re.ASCII)
# A zone is a region followed by a letter, as in europe-west2-c.
_ZONE = re.compile(r"(.+-[a-z]+[0-9]+)-[a-z]", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_ASM_PROJECT = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_FILTER_CHARACTERS = re.compile("[ !-~]|[^\\W]")
_EMULATOR = re.compile(r"[^/\s]+:[0-9]{1,5}", re.ASCII)


def stray_character(text: str, allowed: re.Pattern[str]) -> str | None:
    """Describe the first character that is not allowed, and its position; None if all are allowed."""
    for place, character in enumerate(text, 1):
        if not allowed.fullmatch(character):
            return f"character {place} of {len(text)} is {_named(character)}"
    return None


def _named(character: str) -> str:
    # Control characters have no Unicode name.
    name = {"\n": "LINE FEED", "\r": "CARRIAGE RETURN", "\t": "TAB"}.get(character)
    return f"U+{ord(character):04X} {name or unicodedata.name(character, 'without a name')}"


def api_key_problem(key: str) -> str | None:
    """Return what is wrong with an API key; None if nothing is."""
    found = stray_character(key, _KEY_CHARACTERS)
    return f"{found}, which no API key has; copy the key again, as plain text and without quotes" if found else None


def _api_key(key: SecretStr) -> SecretStr:
    stripped = key.get_secret_value().strip()
    if problem := api_key_problem(stripped):
        raise PydanticCustomError(HIDDEN, "{problem}", {"problem": problem})
    return SecretStr(stripped)


def _secret_name(name: str) -> str:
    if _LONG_HEX.fullmatch(name):
        # Settings are logged, and this one is not masked.
        raise PydanticCustomError(HIDDEN, "this looks like an API key, not like a secret's name; set VT_API_KEY to it")
    if name and not _SECRET_NAME.fullmatch(name):
        raise ValueError("write the secret's name, or projects/PROJECT/secrets/NAME")
    return name


def _address(url: str, example: str) -> SplitResult:
    if found := stray_character(url, _VISIBLE):
        raise ValueError(f"{found}, which no address has; write it as {example}")
    try:
        address = urlsplit(url)
        complete = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        complete = False
    if not complete:
        raise ValueError(f"not an address; write it as {example}")
    if "@" in address.netloc:
        raise PydanticCustomError(HIDDEN, "the address holds a user name or a password, which would be logged")
    if "?" in url or "#" in url:
        raise ValueError("an address of an API has no ? and no #; leave out what follows them")
    return address


def _api_url(url: str) -> str:
    address = _address(url, VIRUSTOTAL_API)
    path = address.path.rstrip("/")
    if f".{address.hostname}".endswith(".virustotal.com") and (address.scheme, path) != ("https", "/api/v3"):
        raise ValueError(f"the API of VirusTotal is at {VIRUSTOTAL_API}")
    if not path:
        raise ValueError(f"the address has no path; write {address.scheme}://{address.netloc}/api/v3")
    return url


def _host_url(url: str) -> str:
    if url and _address(url, _SECOPS_HOST).path.strip("/"):
        raise ValueError(f"write scheme and host alone, as {_SECOPS_HOST}")
    return url


def _bucket(name: str) -> str:
    alone = name.removeprefix("gs://").partition("/")[0]
    if alone != name:
        raise ValueError(f"write the bucket's name alone: {alone or 'without gs:// and slashes'}")
    if found := stray_character(name, re.compile(r"[a-z0-9._-]", re.ASCII)):
        raise ValueError(f"{found}, which no bucket's name has (lower-case letters, digits, dots, dashes, underscores)")
    return name


def _project(name: str) -> str:
    if name.isdecimal():
        raise ValueError("this is a project's number; write its ID, which `gcloud projects list` shows next to it")
    return _project_or_number(name)


def _project_or_number(name: str) -> str:
    if found := stray_character(name, re.compile(r"[a-z0-9.:-]", re.ASCII)):
        raise ValueError(f"{found}, which no project ID has; write the ID, and neither the name nor projects/ID")
    return name


def _dataset(name: str) -> str:
    if re.fullmatch(r"[^.:]+[.:][A-Za-z0-9_]+", name):
        raise ValueError("write the dataset alone; its project is GCP_PROJECT")
    if found := stray_character(name, re.compile(r"[A-Za-z0-9_]", re.ASCII)):
        raise ValueError(f"{found}, which no dataset's name has (letters, digits, underscores)")
    return name


def _location(name: str) -> str:
    if zone := _ZONE.fullmatch(name):
        raise ValueError(f"this is a zone; write its region, {zone[1]}")
    return name


def _name_prefix(text: str) -> str:
    if text and not re.fullmatch(r"[a-z][a-z0-9]{0,6}-", text, re.ASCII):
        raise ValueError("a prefix has up to 7 lower-case letters and digits and ends with a hyphen, as eu-")
    return text


def _secops_region(name: str) -> str:
    if found := stray_character(_location(name), re.compile(r"[a-z0-9_-]", re.ASCII)):
        raise ValueError(f"{found}, which no region has; write it as us, eu or europe-west2")
    return name


def customer_id_problem(text: str) -> str | None:
    """Return what is wrong with a customer ID; None if nothing is."""
    return None if _UUID.fullmatch(text) else "not a UUID; SecOps shows the customer ID under SIEM Settings, Profile"


def _filter(text: str) -> str:
    # An invisible character or a typographic quote would change the meaning of the filter.
    if found := stray_character(text, _FILTER_CHARACTERS):
        raise ValueError(f"{found}; write the filter as plain text")
    return text


def _emulator(address: str) -> str:
    # Google's clients accept the variable with and without a scheme, Pub/Sub's only without.
    if address and not _EMULATOR.fullmatch(address.removeprefix("http://").removeprefix("https://").rstrip("/")):
        raise ValueError("write host and port, as 127.0.0.1:8085")
    return address


def _host_port(address: str) -> str:
    if address and not _EMULATOR.fullmatch(address):
        raise ValueError("write host and port alone, as 127.0.0.1:8085, without http://")
    return address


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    names = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    for name in names:
        if re.search(r"[\s;|]", name):
            raise ValueError(f"{name!r}: separate names by commas")
    return names


def known_by(find: Callable[[str], object]) -> AfterValidator:
    """Return a validator of names; a name is unknown if `find` raises Misconfigured for it."""

    def check(names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            try:
                find(name)
            except Misconfigured as error:
                raise ValueError(str(error)) from None
        return names

    return AfterValidator(check)


def _asm_projects(ids: tuple[str, ...]) -> tuple[str, ...]:
    for one in ids:
        if not _ASM_PROJECT.fullmatch(one):
            raise ValueError(f"{one!r} is not the id of an ASM project, such as 10101")
    return ids


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
AsmProjects = Annotated[CommaList, AfterValidator(_asm_projects)]
ApiKey = Annotated[SecretStr, AfterValidator(_api_key)]
ApiUrl = Annotated[str, AfterValidator(_api_url)]
BucketName = Annotated[str, Field(min_length=1), AfterValidator(_bucket)]
DatasetName = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_dataset)]
Emulator = Annotated[str, AfterValidator(_emulator)]
FilterText = Annotated[str, AfterValidator(_filter)]
HostPort = Annotated[str, AfterValidator(_host_port)]
HostUrl = Annotated[str, AfterValidator(_host_url)]
Location = Annotated[str, Field(min_length=1), AfterValidator(_location)]
NamePrefix = Annotated[str, AfterValidator(_name_prefix)]
ProjectId = Annotated[str, Field(min_length=1), AfterValidator(_project)]
ProjectIdOrNumber = Annotated[str, AfterValidator(_project_or_number)]
SecOpsRegion = Annotated[str, Field(min_length=1), AfterValidator(_secops_region)]
SecretName = Annotated[str, AfterValidator(_secret_name)]
SecretVersion = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,63}$")]
