"""The SecOps parser reads fields that notifications have, and all of them that matter."""

import json
import re
from importlib import resources
from pathlib import Path

import pytest

from infra.local.virustotal.streams.items import ENTITY_TYPES, Notification
from shared.streams import JsonObject, look_up

PARSER = (resources.files("infra") / "secops" / "gti_ioc_stream.conf").read_text(encoding="utf-8")
CODE = "\n".join(line for line in PARSER.splitlines() if not line.lstrip().startswith("#"))
SAMPLES = Path(__file__).parents[4] / "shared" / "samples" / "ioc_stream"

# Fields in brackets, in templates, in loops, and as what a date is matched with.
_READ = re.compile(
    r"(?:\[attributes\]|\[context_attributes\])(?:\[\w+\])+|%\{((?:context_)?attributes\.[\w.]+)\}"
    r"|in ((?:context_)?attributes\.[\w.]+) \{|match => \[\"([\w.]+)\""
)


def fields_read() -> set[str]:
    """Return the path of every field that the parser reads."""
    paths = set()
    for found in _READ.finditer(CODE):
        inner = next((group for group in found.groups() if group), None)
        paths.add(inner or found.group(0).strip("[]").replace("][", "."))
    return paths


def test_the_parser_reads_what_it_should() -> None:
    """Date, all sources, rule, tags, verdict and score."""
    assert fields_read() >= {
        "context_attributes.notification_date",
        "context_attributes.notification_id",
        "context_attributes.sources",
        "context_attributes.tags",
        "context_attributes.hunting_info.rule_name",
        "attributes.gti_assessment.verdict.value",
        "attributes.gti_assessment.severity.value",
        "attributes.gti_assessment.threat_score.value",
    }
    assert "sources.0" not in CODE


def test_every_field_is_one_that_notifications_have() -> None:
    """Held against every simulated entity type, whose shapes other tests hold to real lines."""
    items: list[JsonObject] = [json.loads(Notification("s", number, 1).written()) for number in range(100)]
    missing = {path for path in fields_read() if all(look_up(item, path) is None for item in items)}
    assert not missing


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real pages are not beside this checkout")
def test_the_context_fields_are_those_of_real_notifications() -> None:
    """Held against the real pages."""
    pages = [json.loads(file.read_bytes()) for file in SAMPLES.glob("*.json")]
    items = [item for page in pages for item in page["data"]]
    context = {path for path in fields_read() if path.startswith("context_attributes.")}
    assert not {path for path in context if all(look_up(item, path) is None for item in items)}


def test_a_field_that_a_cleaned_item_lacks_exists_before_it_is_compared() -> None:
    """The parser language fails on a comparison with what was never set."""
    compared = {
        found.strip("[]").replace("][", ".") for found in re.findall(r"\[(?:context_)?attributes\][\[\]\w]+", CODE)
    }
    declared = set(re.findall(r'"((?:context_)?attributes\.[\w.]+)" => ""', CODE))
    assert compared <= declared


@pytest.mark.parametrize("kind", ENTITY_TYPES)
def test_every_entity_type_has_its_nouns(kind: str) -> None:
    """A branch of its own, with a target and a link to the report."""
    branch = re.split(r'(?:else )?if \[type\] == "', CODE.split("attributes.gti_assessment.verdict.value}")[0])
    own = next(part for part in branch[1:] if part.startswith(f'{kind}"'))
    assert "read_only_udm.target." in own
    assert f"/gui/{kind.replace('_', '-')}/%{{id}}" in own


def test_braces_are_balanced() -> None:
    """Outside of texts, every block that begins ends."""
    bare = re.sub(r'"[^"]*"', "", CODE)
    assert bare.count("{") == bare.count("}")
