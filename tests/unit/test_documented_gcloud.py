"""The documented gcloud examples publish valid messages, as pasted."""

import os
import re
import runpy
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from infra.local.stack_plan import PROJECT
from infra.topology import read_topology
from shared.contracts.messages import minute_requested
from shared.contracts.minutes import last_due, oldest_served
from tests.support.optional_tools import GCLOUD
from tests.support.paths import DOCS, REPOSITORY

_INLINE = re.compile(r"`([^`\n]+)`")
_BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
# What a shell hands to the command, argument by argument.
_GCLOUD = """#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word"; done > "$SEEN"
"""


# bq's own list of commands has no flags; from `bq help COMMAND` of version 2.1.
_BQ_FLAGS = {
    "query": {"--nouse_legacy_sql"},
    "rm": {"--recursive", "--dataset"},
    "undelete": set[str](),
    "cp": set[str](),
}


@cache
def gcloud_tree() -> Mapping[str, Any]:
    """Return the commands and flags of the Google Cloud CLI on this machine; skip where there is none."""
    found = shutil.which("gcloud")
    tree = Path(found).resolve().parents[1] / "data/cli/gcloud_completions.py" if found else None
    if tree is None or not tree.is_file():
        pytest.skip(GCLOUD.reason)
    content: Mapping[str, Any] = runpy.run_path(str(tree))["STATIC_COMPLETION_CLI_TREE"]
    return content


def documented(command: str) -> list[list[str]]:
    """Return every use of a command on a page, in code blocks and in lines of text, word by word."""
    pages = [REPOSITORY / "README.md", *sorted(DOCS.rglob("*.md"))]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    code = [part for text in texts for part in (*_BLOCK.findall(text), *_INLINE.findall(_BLOCK.sub("", text)))]
    return [words for part in code for line in part.replace("\\\n", " ").splitlines() for words in _uses(line, command)]


def _uses(line: str, command: str) -> Iterator[list[str]]:
    if not re.search(rf"(^|[\s(]){command} ", line):
        return
    lexer = shlex.shlex(line.replace("\\|", "|").removeprefix("$ "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("|&;()<>"):
            if words[:1] == [command]:
                yield words
            words = []
        else:
            words.append(word)


def problems(words: list[str], tree: Mapping[str, Any]) -> list[str]:
    """Return the command or flags that the CLI does not have."""
    node, rest = tree, words[1:]
    while rest and rest[0] in node["commands"]:
        node, rest = node["commands"][rest[0]], rest[1:]
    if node["commands"]:
        return [f"{' '.join(words)}: there is no such command"]
    flags = {word.partition("=")[0] for word in rest if word.startswith("--")}
    # Each boolean flag has its opposite.
    known = {*node["flags"], *tree["flags"]}
    return sorted(flag for flag in flags if flag not in known and flag.replace("--no-", "--", 1) not in known)


def test_every_gcloud_command_on_a_page_exists_with_its_flags() -> None:
    """Every gcloud command and flag on a page exists in the Google Cloud CLI of this machine."""
    found = documented("gcloud")
    assert len(found) > 20
    assert [problem for words in found for problem in problems(words, gcloud_tree())] == []


@pytest.mark.parametrize("wrong", ["gcloud run service list", "gcloud run jobs execute provision --waiting"])
def test_a_wrong_gcloud_command_is_found(wrong: str) -> None:
    """The comparison detects a wrong gcloud command."""
    assert problems(wrong.split(), gcloud_tree())


def test_every_bq_command_on_a_page_exists_with_its_flags() -> None:
    """Every bq command on a page, and its flags, are among the known ones."""
    found = documented("bq")
    assert found
    for _, name, *rest in (words for words in found if len(words) > 2):
        assert {word for word in rest if word.startswith("--")} <= _BQ_FLAGS[name]


def publishing_blocks() -> list[str]:
    """Return every code block of README and docs that publishes with gcloud."""
    pages = [REPOSITORY / "README.md", *sorted(DOCS.rglob("*.md"))]
    blocks = [block for page in pages for block in _BLOCK.findall(page.read_text(encoding="utf-8"))]
    return [block for block in blocks if "pubsub topics publish" in block]


def test_there_is_one() -> None:
    """The next test needs at least one example."""
    assert publishing_blocks()


@pytest.mark.parametrize("block", publishing_blocks())
def test_a_pasted_example_asks_for_a_minute_that_can_be_fetched(block: str, tmp_path: Path) -> None:
    """bash parses it; topic, project and message are right, and the minute is available."""
    gcloud = tmp_path / "gcloud"
    gcloud.write_text(_GCLOUD, encoding="utf-8")
    gcloud.chmod(0o755)
    seen = tmp_path / "seen"
    (tmp_path / ".gti-mesh/up").mkdir(parents=True)
    (tmp_path / ".gti-mesh/up/endpoints.json").write_text('{"pubsub": "127.0.0.1:1"}', encoding="utf-8")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "GCP_PROJECT": "my-project", "SEEN": str(seen)}
    subprocess.run(["bash", "-euo", "pipefail", "-c", block], env=environment, cwd=tmp_path, check=True, timeout=120)  # noqa: S603, S607
    words = seen.read_text(encoding="utf-8").split("\0")
    assert words[:3] == ["pubsub", "topics", "publish"]
    assert words[3] in read_topology().topics
    assert words[words.index("--project") + 1] in {"my-project", PROJECT}
    message = minute_requested.read(words[words.index("--message") + 1].encode())
    now = datetime.now(UTC)
    assert message.feed == "domains"
    assert oldest_served(now) < message.minute <= last_due(now)
