"""Settings and the project's files are read, or refused with a message that names the place."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources

import yaml
from hypothesis import strategies as st

from infra.topology import parse_topology
from services.downloader.settings import DownloaderSettings
from services.loader.settings import LoaderSettings
from services.merger.settings import MergerSettings
from services.planner.settings import PlannerSettings
from services.secops_forwarder.settings import SecOpsSettings
from shared.contracts.outcomes import Misconfigured
from shared.feeds.definition import read_feed
from shared.runtime.settings import read_settings
from shared.streams.definition import read_streams
from tests.fuzz.malformed import ODD, Json, malformed_values
from tests.fuzz.target import Target

_KINDS = (PlannerSettings, DownloaderSettings, LoaderSettings, MergerSettings, SecOpsSettings)
_RIGHT = {
    "GCP_PROJECT": "p",
    "LANDING_BUCKET": "b",
    "VT_API_KEY": "the-key",
    "FEEDS": "domains,files",
    "BQ_DATASET": "d",
    "PLAN_BACK": "5",
    "VT_API_URL": "https://a.example/api/v3",
    "LOG_FORMAT": "text",
    "DOWNLOAD_DEADLINE_SECONDS": "60",
    "MEMORY_LIMIT": "512Mi",
    "LOAD_DEADLINE_SECONDS": "60",
    "MERGE_DEADLINE_SECONDS": "60",
    "MERGE_MAX_BYTES_BILLED": "99999999",
    "FOLD_MIN_ROWS": "1",
    "FOLD_KEEP_HOURS": "0",
    "STREAMS": "ioc_stream",
    "VT_FILTERS": "",
    "VT_ORDER": "date+",
    "VT_DATE_FILTER": "-1d",
    "VT_LIMIT": "40",
    "CHRONICLE_CUSTOMER_ID": "00000000-0000-4000-8000-000000000000",
    "CHRONICLE_REGION": "us",
    "CHRONICLE_LOG_TYPE": "GCP_THREATINTEL",
    "SECOPS_MAX_REQUEST_BYTES": "400000",
    "SECOPS_MAX_REQUEST_LOGS": "10",
    "SECOPS_CLEAN": "true",
}
_VALUES = st.one_of(
    # An environment variable cannot hold a NUL byte or half a character.
    st.sampled_from([odd for odd in ODD if isinstance(odd, str) and "\x00" not in odd and "\ud800" not in odd]),
    st.sampled_from(("-5", "1e3", "9" * 400, "date-", "-1x", "ftp://x", "true,false", "{}", "[]")),
    st.text(alphabet=st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=12),
)


def check_settings(given: tuple[int, dict[str, str]]) -> str:
    """A service starts with its settings, or names the wrong variable; neither text contains the key."""
    kind, changes = given
    with _environment({**_RIGHT, **changes}):
        try:
            settings = read_settings(_KINDS[kind])
        except Misconfigured as error:
            assert "the-key" not in str(error)
            return "refused"
    assert "the-key" not in settings.model_dump_json()
    return "started"


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _texts(text: str) -> st.SearchStrategy[str]:
    edit = st.tuples(st.integers(0, len(text)), st.integers(0, 30), st.text(max_size=6))

    def edited(edits: list[tuple[int, int, str]]) -> str:
        changed = text
        for at, removed, inserted in edits:
            changed = changed[:at] + inserted + changed[at + removed :]
        return changed

    value: Json = yaml.safe_load(text)
    bent = malformed_values(value).map(lambda bent_value: yaml.dump(_storable(bent_value), Dumper=_DUMPER))
    return st.one_of(bent, st.lists(edit, min_size=1, max_size=3).map(edited), st.text(max_size=50))


def _storable(value: Json) -> Json:
    # Half a character is in no file that could be read as UTF-8.
    return json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))


# libyaml's dumper is ten times as fast; it is there wherever PyYAML has a wheel.
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def check_topology(text: str) -> str:
    """A topology is valid, or the error names the file and the place."""
    try:
        parse_topology(text, "topology.yaml")
    except Misconfigured as error:
        assert "topology.yaml" in str(error)
        return "refused"
    return "read"


def check_feed(text: str) -> str:
    """A feed is read, or the error names the file and the place."""
    try:
        read_feed(text, "feed.yaml")
    except Misconfigured as error:
        assert "feed.yaml" in str(error)
        return "refused"
    return "read"


def check_streams(text: str) -> str:
    """Streams are read, or the error names the file and the place."""
    try:
        read_streams(text, "streams.yaml")
    except Misconfigured as error:
        assert "streams.yaml" in str(error)
        return "refused"
    return "read"


_SETTINGS = st.tuples(
    st.integers(0, len(_KINDS) - 1), st.dictionaries(st.sampled_from(sorted(_RIGHT)), _VALUES, max_size=3)
)
_TOPOLOGY = """
services:
  loader: {source: services/loader/main.py, target: load, concurrency: 8, instances: {min: 0, max: 5}, memory: 512Mi, cpu: "1", timeout_seconds: 60}
topics:
  landed: {retention_seconds: 604800}
  landed-dead: {retention_seconds: 604800}
subscriptions:
  loader: {topic: landed, push: {service: loader, path: /}, ack_deadline_seconds: 60, retention_seconds: 604800, never_expires: true, backoff: {minimum_seconds: 1, maximum_seconds: 2}, dead_letter: {topic: landed-dead, max_attempts: 5}}
  landed-dead: {topic: landed-dead, ack_deadline_seconds: 60, retention_seconds: 604800, never_expires: true}
  landed-dead-ledger: {topic: landed-dead, push: {service: loader, path: /}, ack_deadline_seconds: 60, retention_seconds: 604800, never_expires: true, backoff: {minimum_seconds: 1, maximum_seconds: 2}}
schedules:
  merge: {cron: "5,35 * * * *", service: loader, path: /, deadline_seconds: 60}
"""  # noqa: E501 (a small one, so that a change hits something)
_FEED = """
name: domains
path: domains
object_type: domain
licence: l
description: d
version: [seen]
headline:
  - {name: seen, type: TIMESTAMP, path: attributes.seen, description: d}
  - {name: tags, type: ARRAY<STRING>, path: attributes.tags, description: d}
"""
_STREAMS = (resources.files("shared.streams") / "streams.yaml").read_text(encoding="utf-8")

TARGETS = (
    Target("settings", _SETTINGS, check_settings),
    Target("topology files", _texts(_TOPOLOGY), check_topology),
    Target("feed files", _texts(_FEED), check_feed),
    Target("stream files", _texts(_STREAMS), check_streams),
)
