"""Run the parser of a SecOps instance on sample logs (logTypes.runParser), cleaned and verbatim."""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, TypeAdapter

from gti_mesh.parser_results import differences, summary
from gti_mesh.verify import TenantSettings
from services.secops_forwarder.build import build_secops
from services.secops_forwarder.importer.cleaning import write_cleaned
from services.secops_forwarder.importer.client import SecOps
from shared.contracts.outcomes import Misconfigured
from shared.runtime.json_bytes import read_json, write_json
from shared.runtime.settings import read_settings
from shared.streams.definition import JsonObject, look_up
from shared.streams.forwarded import FORWARDED_FEEDS, Forwarded, find_forwarded


class _SamplePage(BaseModel):
    data: list[JsonObject]


_PERMISSION = "chronicle.parsers.run"
_SHOWN = 5
# Google's own client sends at most 1,000 logs and 50 MB (google/secops-wrapper, parser.py).
_LOGS_PER_CALL = 100
_CONTENT = resources.files("infra") / "secops"
_EXPECTED = TypeAdapter(list[list[JsonObject]])


@dataclass(frozen=True)
class Log:
    """A log, its origin and, if known, its expected records."""

    name: str
    data: bytes
    expected: list[JsonObject] | None


def check_parser(stream: str, parser: Path | None, samples: Path | None, say: Callable[[str], None]) -> bool:
    """Print the result of every sample; return whether each gave records, and all the expected ones.

    Without files the parser is the project's for the stream or feed, and the samples are those that come with it.
    """
    found = find_forwarded(stream)
    text = _encoded(_parser(found, parser))
    logs = list(_logs(found, samples))
    settings = read_settings(TenantSettings)
    if not settings.on:
        raise Misconfigured("no SecOps instance is configured: set CHRONICLE_CUSTOMER_ID to the SecOps customer id")
    secops = build_secops(settings)
    url = f"{secops.instance.url(_log_type(settings, stream), '')}:runParser"
    matched = True
    for first in range(0, len(logs), _LOGS_PER_CALL):
        batch = logs[first : first + _LOGS_PER_CALL]
        for log, result in zip(batch, _run(secops, url, text, batch), strict=True):
            matched &= _print_result(log, result, say)
    return matched


def _log_type(settings: TenantSettings, stream: str) -> str:
    chosen: tuple[Forwarded, ...] = (*settings.streams(), *settings.forwarded_feeds())
    found = next((one.log_type for one in chosen if one.name == stream), None)
    if found is None:
        setting = "SECOPS_FEEDS" if stream in FORWARDED_FEEDS else "STREAMS"
        raise Misconfigured(f"the parser is for the stream {stream}: add it to {setting}")
    return found


def _run(secops: SecOps, url: str, parser: str, logs: Sequence[Log]) -> list[object]:
    request = {"parser": {"cbn": parser}, "log": [_encoded(log.data) for log in logs]}
    answer = read_json(secops.call("POST", url, write_json(request), permission=_PERMISSION))
    results = look_up(answer, "runParserResults")
    if not isinstance(results, list) or len(results) != len(logs):
        raise Misconfigured(f"SecOps did not return a result for every log: {str(answer)[:300]}")
    return results


def _print_result(log: Log, result: object, say: Callable[[str], None]) -> bool:
    events = look_up(result, "parsedEvents.events")
    if not isinstance(events, list) or not events:
        say(f"{log.name}: no record: {look_up(result, 'error.message') or 'the parser dropped it'}")
        return False
    say(f"{log.name}: {summary(events)}")
    different = list(differences(log.expected, events)) if log.expected is not None else []
    for difference in different[:_SHOWN]:
        say(f"  not as expected: {difference}")
    if len(different) > _SHOWN:
        say(f"  and {len(different) - _SHOWN} more")
    return not different


def _parser(stream: Forwarded, file: Path | None) -> bytes:
    if file:
        return file.read_bytes()
    if stream.parser is None:
        raise Misconfigured(f"there is no parser for the stream {stream.name}: name yours with --parser")
    return (_CONTENT / f"{stream.parser}.conf").read_bytes()


def _logs(stream: Forwarded, samples: Path | None) -> Iterator[Log]:
    for name, item, expected in _of_file(samples) if samples else _own(stream):
        yield Log(f"{name}, cleaned", write_cleaned(item), expected)
        yield Log(f"{name}, verbatim", write_json(item), expected)


def _own(stream: Forwarded) -> Iterator[tuple[str, JsonObject, list[JsonObject]]]:
    """Yield the items of the bundled sample pages of a stream, with the expected records of each."""
    if stream.parser is None:
        raise Misconfigured(f"there are no samples of the stream {stream.name}: name yours with --samples")
    folder = _CONTENT / "samples" / stream.name
    names = sorted(file.name.removesuffix(".udm.json") for file in folder.iterdir() if file.name.endswith(".udm.json"))
    for name in names:
        page = _SamplePage.model_validate_json((folder / f"{name}.json").read_bytes())
        records = _EXPECTED.validate_json((folder / f"{name}.udm.json").read_bytes())
        for number, (item, expected) in enumerate(zip(page.data, records, strict=True), 1):
            yield f"{name} {number}", item, expected


def _of_file(samples: Path) -> Iterator[tuple[str, JsonObject, None]]:
    for number, text in enumerate(samples.read_bytes().splitlines(), 1):
        try:
            item = read_json(text)
        except ValueError:
            item = None
        if not isinstance(item, dict):
            raise Misconfigured(f"{samples}, line {number}: not a JSON object: {text[:60]!r}")
        yield f"{samples.name} {number}", item, None


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
