"""The forwarder's settings, under the names of the script that it replaces, and the declared streams."""

from pathlib import Path

import pytest

from infra.topology import read_topology
from services.secops_forwarder.build import build_secops
from services.secops_forwarder.settings import POLL_MINUTES, SecOpsSettings
from services.secops_forwarder.standalone.run import StandaloneSettings
from shared.contracts.outcomes import Misconfigured
from shared.runtime.settings import read_settings
from shared.streams.definition import find_stream, known_streams, read_streams
from shared.virustotal.list_reader import ListQuery
from tests.support.streams import changed

NAMES = (
    *(
        "STREAMS",
        "STREAMS_TO_SECOPS",
        "STREAMS_TO_BIGQUERY",
        "VT_FILTERS",
        "VT_ORDER",
        "VT_DATE_FILTER",
        "VT_LIMIT",
        "VT_API_KEY",
        "VT_API_KEY_SECRET",
    ),
    *("CHRONICLE_CUSTOMER_ID", "CHRONICLE_REGION", "CHRONICLE_HOST", "CHRONICLE_LOG_TYPE", "CHRONICLE_API_VERSION"),
    *("SECOPS_FEEDS", "CHRONICLE_LOG_TYPE_THREAT_LISTS"),
    *("SECOPS_API_URL", "SECOPS_CLEAN", "SECOPS_MAX_REQUEST_BYTES", "NAMESPACE", "CHRONICLE_FORWARDER_ID"),
    *("ASM_PROJECTS", "GCP_PROJECT_ID", "VT_API_KEY_SECRET_NAME", "VT_API_KEY_SECRET_VERSION"),
    *(stream.log_type_variable for stream in known_streams().values()),
)
CUSTOMER = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Return an environment in which the forwarder is on."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in {"GCP_PROJECT": "p", "LANDING_BUCKET": "b", "VT_API_KEY": "k"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CHRONICLE_CUSTOMER_ID", CUSTOMER)
    monkeypatch.setenv("CHRONICLE_LOG_TYPE", "GCP_THREATINTEL")
    return monkeypatch


def test_the_default_is_the_ioc_stream_alone(env: pytest.MonkeyPatch) -> None:
    """The defaults are forty items per page, ascending, and a day back."""
    del env
    settings = read_settings(SecOpsSettings)
    [stream] = settings.streams()
    assert (stream.name, stream.order, stream.filter, stream.look_back_minutes) == ("ioc_stream", "date+", "", 1440)
    assert (settings.page_size, settings.clean, settings.max_request_bytes) == (40, True, 3_900_000)


def test_asm_projects_are_ids(env: pytest.MonkeyPatch) -> None:
    """They go into a header; without any, all of the key's owner are read."""
    assert read_settings(SecOpsSettings).asm_projects == ()
    env.setenv("ASM_PROJECTS", "10101, x-2")
    assert read_settings(SecOpsSettings).asm_projects == ("10101", "x-2")
    env.setenv("ASM_PROJECTS", "10101,my.project")
    with pytest.raises(Misconfigured, match=r"'my\.project' is not the id of an ASM project, such as 10101"):
        read_settings(SecOpsSettings)


def test_without_a_customer_id_the_forwarder_is_off(env: pytest.MonkeyPatch) -> None:
    """If it is off, it needs neither an API key nor a log type."""
    for name in ("CHRONICLE_CUSTOMER_ID", "VT_API_KEY", "CHRONICLE_LOG_TYPE"):
        env.delenv(name)
    assert not read_settings(SecOpsSettings).on


@pytest.mark.parametrize(
    ("given", "polled", "delivered"),
    [
        ({}, "ioc_stream campaigns", "ioc_stream campaigns"),
        ({"STREAMS_TO_BIGQUERY": "campaigns"}, "ioc_stream campaigns", "ioc_stream campaigns"),
        ({"STREAMS_TO_BIGQUERY": "campaigns", "STREAMS_TO_SECOPS": "ioc_stream"}, "ioc_stream campaigns", "ioc_stream"),
        ({"STREAMS_TO_BIGQUERY": "campaigns,ioc_stream", "STREAMS_TO_SECOPS": ""}, "ioc_stream campaigns", ""),
        ({"STREAMS_TO_BIGQUERY": "campaigns", "CHRONICLE_CUSTOMER_ID": ""}, "campaigns", ""),
        ({"CHRONICLE_CUSTOMER_ID": ""}, "", ""),
    ],
)
def test_streams_go_where_the_settings_say(
    env: pytest.MonkeyPatch, given: dict[str, str], polled: str, delivered: str
) -> None:
    """To SecOps all of them by default, if there is a tenant; what goes to neither is not polled."""
    for name, value in {"STREAMS": "ioc_stream,campaigns", "CHRONICLE_LOG_TYPE_CAMPAIGNS": "T", **given}.items():
        env.setenv(name, value)
    settings = read_settings(SecOpsSettings)
    assert [stream.name for stream in settings.polled()] == polled.split()
    assert [stream.name for stream in settings.delivered()] == delivered.split()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"STREAMS_TO_BIGQUERY": "campaigns"}, "STREAMS_TO_BIGQUERY: 'campaigns' is not collected; name it in STREAMS"),
        ({"STREAMS_TO_SECOPS": "campaigns"}, "STREAMS_TO_SECOPS: 'campaigns' is not collected; name it in STREAMS too"),
        ({"STREAMS_TO_SECOPS": ""}, "STREAMS: 'ioc_stream' goes nowhere; name it in STREAMS_TO_SECOPS or STREAMS_TO"),
        ({"STREAMS_TO_BIGQUERY": "domains"}, "unknown stream 'domains'; domains is a feed: name it in FEEDS"),
        (
            {"STREAMS_TO_BIGQUERY": "ioc_stream", "CHRONICLE_CUSTOMER_ID": "", "VT_API_KEY": ""},
            "no API key: set VT_API",
        ),
    ],
)
def test_a_destination_that_cannot_be_is_refused(env: pytest.MonkeyPatch, given: dict[str, str], reason: str) -> None:
    """The error has the setting, the stream and what to do."""
    for name, value in {"CHRONICLE_LOG_TYPE_CAMPAIGNS": "T", **given}.items():
        env.setenv(name, value)
    with pytest.raises(Misconfigured, match=reason):
        read_settings(SecOpsSettings)


def test_a_log_type_is_needed_for_secops_only(env: pytest.MonkeyPatch) -> None:
    """A stream for BigQuery alone needs none."""
    env.delenv("CHRONICLE_LOG_TYPE")
    env.setenv("STREAMS_TO_BIGQUERY", "ioc_stream")
    with pytest.raises(Misconfigured, match="no log type for the stream ioc_stream"):
        read_settings(SecOpsSettings)
    env.setenv("STREAMS_TO_SECOPS", "")
    assert [stream.to_secops for stream in read_settings(SecOpsSettings).polled()] == [False]


def test_the_standalone_forwarder_has_no_bigquery(env: pytest.MonkeyPatch) -> None:
    """A setting that nothing would obey is refused."""
    env.setenv("STREAMS_TO_BIGQUERY", "ioc_stream")
    with pytest.raises(Misconfigured, match="STREAMS_TO_BIGQUERY: this command has no BigQuery; leave it out, or run"):
        read_settings(StandaloneSettings)


def test_a_feed_is_forwarded_only_if_it_is_named(env: pytest.MonkeyPatch) -> None:
    """Its log type is Google's, which takes elements as they came, or the tenant's own; no stream is needed."""
    assert read_settings(SecOpsSettings).forwarded_feeds() == ()
    env.setenv("SECOPS_FEEDS", "threat_lists")
    env.setenv("STREAMS", "")
    env.delenv("CHRONICLE_LOG_TYPE")
    [feed] = read_settings(SecOpsSettings).forwarded_feeds()
    assert (feed.name, feed.log_type, feed.verbatim) == ("threat_lists", "GCP_THREATINTEL", True)
    env.setenv("CHRONICLE_LOG_TYPE_THREAT_LISTS", "GTI_LISTS_CUSTOM")
    [feed] = read_settings(SecOpsSettings).forwarded_feeds()
    assert (feed.log_type, feed.verbatim) == ("GTI_LISTS_CUSTOM", False)


def test_the_environment_changes_the_ioc_stream_and_no_other(env: pytest.MonkeyPatch) -> None:
    """Filter, look-back and order apply to the main stream; each stream has its own log type."""
    env.setenv("STREAMS", "ioc_stream, vulnerabilities")
    env.setenv("VT_FILTERS", "origin:hunting entity_type:file")
    env.setenv("VT_DATE_FILTER", "-90m")
    env.setenv("CHRONICLE_LOG_TYPE", "OURS")
    env.setenv("CHRONICLE_LOG_TYPE_VULNERABILITIES", "THEIRS_CUSTOM")
    stream, other = read_settings(SecOpsSettings).streams()
    assert (stream.filter, stream.look_back_minutes, stream.log_type) == ("origin:hunting entity_type:file", 90, "OURS")
    assert other == changed(find_stream("vulnerabilities"), log_type="THEIRS_CUSTOM")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("VT_ORDER", "date-", r"VT_ORDER: 'date-' is not ascending; write it with a plus, as date\+, or leave it out"),
        (
            "VT_ORDER",
            "last_modification_date+",
            "VT_ORDER: .* belongs to the stream vulnerabilities: .*STREAMS=",
        ),
        ("VT_ORDER", "id+", r"VT_ORDER: 'id\+' is not an order of ioc_stream; write date\+"),
        (
            "VT_FILTERS",
            "collection_type:vulnerability last_modification_date:60m+",
            "VT_FILTERS: 'collection_type:vulnerability' .*: leave VT_FILTERS and VT_ORDER out, and set STREAMS=vuln",
        ),
        ("VT_FILTERS", "last_modification_date:60m+", "VT_FILTERS: .*set STREAMS=vulnerabilities"),
        ("VT_FILTERS", "collection_type:malware-family", "VT_FILTERS: .*set STREAMS=malware_families"),
        (
            "VT_DATE_FILTER",
            "0m",
            "VT_DATE_FILTER: '0m' is less than the 5 minutes .*; write at least -5m",
        ),
        ("VT_DATE_FILTER", "-2m", "VT_DATE_FILTER: '-2m' is less than the 5 minutes"),
        ("VT_FILTERS", "origin:hunting date:3d+", r"'date:3d\+': the forwarder sets the date itself"),
        ("VT_DATE_FILTER", "yesterday", r"VT_DATE_FILTER: 'yesterday' is not a look-back; write it as -1d"),
        ("VT_DATE_FILTER", "-8d", "VT_DATE_FILTER: '-8d' is more than the 7 days that the source keeps"),
        ("VT_LIMIT", "41", "VT_LIMIT: .*less than or equal to 40"),
        ("VT_API_KEY", "", "no API key: set VT_API_KEY"),
        ("STREAMS", "ioc_streams", "unknown stream 'ioc_streams'; known streams: ioc_stream, vulnerabilities"),
        ("CHRONICLE_CUSTOMER_ID", "../x", "CHRONICLE_CUSTOMER_ID"),
        (
            "CHRONICLE_LOG_TYPE",
            "",
            "CHRONICLE_LOG_TYPE: .*: set CHRONICLE_LOG_TYPE to GCP_THREATINTEL .*, or to a .*_CUSTOM.*docs/secops.md",
        ),
        (
            "STREAMS",
            "vulnerabilities",
            "set CHRONICLE_LOG_TYPE_VULNERABILITIES to a log type of your tenant's own",
        ),
        (
            "STREAMS",
            "dtm_alerts",
            "set CHRONICLE_LOG_TYPE_DTM_ALERTS to MANDIANT_DTM_ALERTS .*, or to a .*, with the parser .*gti_dtm_alerts",
        ),
        ("RELATIONS", "files,friends", "RELATIONS: unknown relation 'friends'; known relations: .*files"),
        ("RELATIONS", "files,urls,domains,reports", "RELATIONS: 4 relations; at most 3, because each costs a request"),
        ("CHRONICLE_LOG_TYPE", "gcp", "CHRONICLE_LOG_TYPE: character 1 of 3 is U\\+0067 .*, which no log type has"),
        ("CHRONICLE_CUSTOMER_ID", "0a1b", "CHRONICLE_CUSTOMER_ID: not a UUID; .*got '0a1b'"),
        ("CHRONICLE_CUSTOMER_ID", CUSTOMER.replace("-", ""), "not a UUID"),
        ("CHRONICLE_REGION", "europe-west2-a", "CHRONICLE_REGION: this is a zone; write its region, europe-west2"),
        ("CHRONICLE_REGION", "US", "character 1 of 2 is U\\+0055 LATIN CAPITAL LETTER U, which no region has"),
        ("CHRONICLE_HOST", "https://eu-chronicle.googleapis.com/v1", "CHRONICLE_HOST: write scheme and host alone"),
        ("SECOPS_API_URL", "localhost:8080", "SECOPS_API_URL: not an address; write it as https://"),
        ("CHRONICLE_PROJECT", "projects/p", "CHRONICLE_PROJECT: character 9 of 10 is U\\+002F SOLIDUS"),
        ("VT_FILTERS", "name:\u201cx y\u201d", "VT_FILTERS: character 6 of 10 is U\\+201C LEFT DOUBLE QUOTATION MARK"),
        ("STREAMS", "ioc_stream vulnerabilities", "STREAMS: 'ioc_stream vulnerabilities': separate names by commas"),
        ("SECOPS_MAX_REQUEST_BYTES", "10", "SECOPS_MAX_REQUEST_BYTES"),
        ("SECOPS_FEEDS", "threat_lists,domains", "the feed 'domains' cannot be sent to SecOps; SECOPS_FEEDS can have"),
        ("CHRONICLE_LOG_TYPE_THREAT_LISTS", "gti", "character 1 of 3 is .*, which no log type has"),
    ],
)
def test_a_wrong_setting_is_named(env: pytest.MonkeyPatch, name: str, value: str, reason: str) -> None:
    """The error has the variable, the value and what to write instead."""
    env.setenv(name, value)
    with pytest.raises(Misconfigured, match=reason):
        read_settings(SecOpsSettings)


# The file beside the predecessor's function, and the one in its README: names, and values as they stand there.
PREDECESSOR = {
    **{name: name for name in ("GCP_PROJECT_ID", "VT_API_KEY_SECRET_NAME")},
    "VT_API_KEY_SECRET_VERSION": "latest",
    "CHRONICLE_CUSTOMER_ID": "GUID",
    "CHRONICLE_FORWARDER_ID": "GUID",
    "CHRONICLE_LOG_TYPE": "INSTANCE_GTI_CVE",
    "CHRONICLE_REGION": "us",
    "NAMESPACE": "",
    "VT_LIMIT": "10",
}
HUNTING = {"VT_FILTERS": "origin:hunting", "VT_ORDER": "date-", "VT_DATE_FILTER": "-1h"}
VULNERABILITIES = {
    "VT_FILTERS": "collection_type:vulnerability last_modification_date:60m+",
    "VT_ORDER": "last_modification_date+",
}
PLACEHOLDERS = ["CHRONICLE_CUSTOMER_ID", "CHRONICLE_FORWARDER_ID", "GCP_PROJECT"]
FILLED_IN = {"GCP_PROJECT_ID": "our-project", "CHRONICLE_CUSTOMER_ID": CUSTOMER, "CHRONICLE_FORWARDER_ID": CUSTOMER}


def with_file(env: pytest.MonkeyPatch, *files: dict[str, str]) -> None:
    """Set exactly these files' variables."""
    for name in ("GCP_PROJECT", "VT_API_KEY", "LANDING_BUCKET"):
        env.delenv(name)
    for name, value in {name: value for file in files for name, value in file.items()}.items():
        env.setenv(name, value)


@pytest.mark.parametrize(
    ("files", "wrong"),
    [
        ((PREDECESSOR, VULNERABILITIES), [*PLACEHOLDERS, "LANDING_BUCKET", "VT_FILTERS", "VT_ORDER"]),
        ((PREDECESSOR, HUNTING), [*PLACEHOLDERS, "LANDING_BUCKET", "VT_ORDER"]),
        ((PREDECESSOR, FILLED_IN, HUNTING), ["LANDING_BUCKET", "VT_ORDER"]),
    ],
)
def test_the_predecessors_file_is_refused_with_a_line_a_setting(
    env: pytest.MonkeyPatch, files: tuple[dict[str, str], ...], wrong: list[str]
) -> None:
    """Each line has the variable and what to write instead."""
    with_file(env, *files)
    with pytest.raises(Misconfigured) as caught:
        read_settings(SecOpsSettings)
    head, *lines = str(caught.value).splitlines()
    assert head == "wrong settings:"
    assert sorted(line.strip().partition(":")[0] for line in lines) == wrong


def test_the_predecessors_file_starts_once_its_lines_are_mended(env: pytest.MonkeyPatch) -> None:
    """The names are those of the script, plus a bucket."""
    with_file(env, PREDECESSOR, FILLED_IN, HUNTING, {"LANDING_BUCKET": "b", "VT_ORDER": "date+"})
    settings = read_settings(SecOpsSettings)
    [stream] = settings.streams()
    assert (settings.project, settings.api_key_secret) == ("our-project", "VT_API_KEY_SECRET_NAME")
    assert settings.page_size == 10
    assert (stream.filter, stream.look_back_minutes, stream.log_type) == ("origin:hunting", 60, "INSTANCE_GTI_CVE")


def test_the_shortest_look_back_is_the_time_between_two_polls() -> None:
    """The minimum is the interval of the schedule."""
    assert read_topology().schedules["secops-poll"].cron == f"*/{POLL_MINUTES} * * * *"


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (
            {"CHRONICLE_REGION": "eu"},
            f"https://eu-chronicle.googleapis.com/v1beta/projects/p/locations/eu/instances/{CUSTOMER}/logTypes/T/logs:import",
        ),
        (
            {"CHRONICLE_HOST": "https://chronicle.{region}.rep.googleapis.com", "CHRONICLE_API_VERSION": "v1alpha"},
            f"https://chronicle.us.rep.googleapis.com/v1alpha/projects/p/locations/us/instances/{CUSTOMER}/logTypes/T/logs:import",
        ),
        (
            {"SECOPS_API_URL": "http://127.0.0.1:9"},
            f"http://127.0.0.1:9/v1beta/projects/p/locations/us/instances/{CUSTOMER}/logTypes/T/logs:import",
        ),
    ],
)
def test_the_address_is_made_of_settings(env: pytest.MonkeyPatch, settings: dict[str, str], url: str) -> None:
    """Both styles of host, any version, and a private server are accepted."""
    for name, value in settings.items():
        env.setenv(name, value)
    assert build_secops(read_settings(SecOpsSettings)).instance.url("T") == url


def test_a_server_on_this_machine_takes_any_customer(env: pytest.MonkeyPatch) -> None:
    """A simulator has no tenants."""
    env.setenv("CHRONICLE_CUSTOMER_ID", "0a1b")
    env.setenv("SECOPS_API_URL", "http://127.0.0.1:9")
    assert read_settings(SecOpsSettings).on


def test_a_question_is_encoded() -> None:
    """A raw plus sign would be decoded as a space, and the order would be refused."""
    question = ListQuery("/ioc_stream", "origin:hunting date:2026-11-21T11:30:00+", "date+", 40, "a/b=")
    assert question.target() == (
        "/ioc_stream?limit=40&filter=origin%3Ahunting%20date%3A2026-11-21T11%3A30%3A00%2B&order=date%2B&cursor=a%2Fb%3D"
    )


def test_every_declared_stream_has_a_setting_for_its_log_type(env: pytest.MonkeyPatch) -> None:
    """Under the name that the declaration says, which Terraform reads too; none has a log type by default."""
    env.setenv("STREAMS", ",".join(known_streams()))
    for stream in known_streams().values():
        assert stream.log_type == ""
        env.setenv(stream.log_type_variable, f"{stream.name.upper()}_CUSTOM")
    types = [stream.log_type for stream in read_settings(SecOpsSettings).streams()]
    assert types == [f"{name.upper()}_CUSTOM" for name in known_streams()]


def test_everything_that_is_missing_is_named_at_once(env: pytest.MonkeyPatch) -> None:
    """One start lists everything that is missing."""
    for name in ("GCP_PROJECT", "LANDING_BUCKET", "VT_API_KEY", "CHRONICLE_LOG_TYPE"):
        env.delenv(name)
    env.setenv("STREAMS", "ioc_stream,vulnerabilities")
    with pytest.raises(Misconfigured) as caught:
        read_settings(SecOpsSettings)
    lines = [line.strip().partition(":")[0] for line in str(caught.value).splitlines()[1:]]
    assert sorted(lines) == [
        *("CHRONICLE_LOG_TYPE", "CHRONICLE_LOG_TYPE_VULNERABILITIES", "GCP_PROJECT", "LANDING_BUCKET"),
        "VT_API_KEY_SECRET",
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: {path: /x}", r"f.yaml: .*missing"),
        ("a: [", r"f.yaml: while parsing"),
        ("[]", r"f.yaml: .*dictionary"),
    ],
)
def test_a_wrong_declaration_is_named(text: str, reason: str) -> None:
    """The error has the file, the place and the reason."""
    with pytest.raises(Misconfigured, match=reason):
        read_streams(text, "f.yaml")
