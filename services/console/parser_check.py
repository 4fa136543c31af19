"""Have a SecOps instance run the parser on sample logs (logTypes.runParser), cleaned and verbatim."""

import base64
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

from infra.local.virustotal.streams.items import ENTITY_TYPES, Notification
from shared.json_bytes import read_json, write_json
from shared.outcomes import Misconfigured
from shared.secops.build import build_secops
from shared.secops.cleaning import write_cleaned
from shared.secops.settings import MAIN_STREAM, SecOpsSettings
from shared.settings import read_settings
from shared.streams import JsonObject, look_up

_SAMPLES = 2 * len(ENTITY_TYPES) + 1


def check_parser(parser: Path | None, samples: Path | None, say: Callable[[str], None]) -> bool:
    """Show what the instance makes of every sample; say whether each became an event."""
    settings = read_settings(SecOpsSettings)
    if not settings.on:
        raise Misconfigured("there is no instance to ask: set CHRONICLE_CUSTOMER_ID to the SecOps customer id")
    secops = build_secops(settings)
    [stream] = [stream for stream in settings.streams() if stream.name == MAIN_STREAM]
    logs = list(_logs(samples))
    request = {"parser": {"cbn": _encoded(_parser(parser))}, "log": [_encoded(log) for log in logs]}
    answer = read_json(
        secops.call("POST", f"{secops.instance.url(stream.log_type, '')}:runParser", write_json(request))
    )
    results = look_up(answer, "runParserResults")
    if not isinstance(results, list) or len(results) != len(logs):
        raise Misconfigured(f"SecOps gave no result for every log: {str(answer)[:300]}")
    parsed = [_tell(number, result, say) for number, result in enumerate(results, 1)]
    return all(parsed)


def _tell(number: int, result: object, say: Callable[[str], None]) -> bool:
    events = look_up(result, "parsedEvents.events")
    if not isinstance(events, list) or not events:
        say(f"log {number}: no event: {look_up(result, 'error.message') or 'the parser dropped it'}")
        return False
    say(f"log {number}: {len(events)} event: {str(events[0])[:200]}")
    return True


def _parser(file: Path | None) -> bytes:
    if file:
        return file.read_bytes()
    return (resources.files("infra") / "secops" / "gti_ioc_stream.conf").read_bytes()


def _logs(samples: Path | None) -> Iterator[bytes]:
    for item in _items(samples):
        yield write_cleaned(item)
        yield write_json(item)


def _items(samples: Path | None) -> Iterator[JsonObject]:
    texts = samples.read_bytes().splitlines() if samples else _made_up()
    for number, text in enumerate(texts, 1):
        try:
            item = read_json(text)
        except ValueError:
            item = None
        if not isinstance(item, dict):
            raise Misconfigured(f"{samples}, line {number}: is no JSON object: {text[:60]!r}")
        yield item


def _made_up() -> Iterator[bytes]:
    for number in range(_SAMPLES):
        yield Notification("parser", number, 1_790_000_000 + number).written()


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
