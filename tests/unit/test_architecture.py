"""Everything that docs/architecture.md, the glossary and the decisions name exists.

Files, tests, topology, tables, rights.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from infra.topology import read_topology
from shared.feeds.definition import known_feeds
from shared.warehouse.tables import LEDGER, feed_tables
from tests.support.paths import DOCS, REPOSITORY

ARCHITECTURE = (DOCS / "architecture.md").read_text(encoding="utf-8")
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
PAGES = [DOCS / "architecture.md", DOCS / "glossary.md", *DECISIONS, REPOSITORY / "README.md"]

TOPOLOGY = read_topology()
NAMES = {
    "service": set(TOPOLOGY.services),
    "topic": set(TOPOLOGY.topics),
    "table": {LEDGER.name, *(table.name for feed in known_feeds().values() for table in feed_tables(feed))},
}
OUTSIDE = {"Cloud Scheduler", "VirusTotal", "Cloud Storage", "Google SecOps"}
# A row whose files are more than these is a task for which the code is to be changed, and not the page.
MAX_FILES = 3

_FILE = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|sql|yaml|tf|md|toml|conf))`")


def section(title: str) -> str:
    """Return the text of a section of architecture.md."""
    return ARCHITECTURE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the first table in a section."""
    table = re.search(r"(?:^\|.*\n)+", section(title), re.M)
    assert table, title
    for line in table[0].splitlines()[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def in_backticks(cell: str) -> set[str]:
    """Return the names between backticks in a cell."""
    return set(re.findall(r"`(.+?)`", cell))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    """The test fails if a file was moved or renamed, or a link is broken."""
    text = page.read_text(encoding="utf-8")
    named = {REPOSITORY / name for name in _FILE.findall(text)}
    linked = {page.parent / link for link in re.findall(r"\]\((?!https?:)([^)#]+)", text)}
    assert sorted(str(file) for file in named | linked if not file.exists()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    """The test fails if a named test was renamed or removed."""
    named = set(re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8")))
    sources = "\n".join(file.read_text(encoding="utf-8") for file in (REPOSITORY / "tests").rglob("test_*.py"))
    assert named - set(re.findall(r"def (test_\w+)\(", sources)) == set()


def test_the_diagrams_name_what_is_declared() -> None:
    """A participant is a service or a topic of the topology, a table of the warehouse, or an external system."""
    participants = re.findall(r"^ *participant \w+ as (.+)$", ARCHITECTURE, re.M)
    assert len(participants) > 15
    for participant in participants:
        kind, _, name = participant.partition(" ")
        assert participant in OUTSIDE or name in NAMES[kind], participant


def test_every_message_of_a_diagram_has_its_participants() -> None:
    """A name with a typing error would be drawn as another participant."""
    for diagram in re.findall(r"```mermaid\nsequenceDiagram\n(.*?)```", ARCHITECTURE, re.S):
        declared = set(re.findall(r"participant (\w+) as", diagram))
        messages = re.findall(r"^ *(\w+)-{1,2}>>(\w+):", diagram, re.M)
        assert {name for message in messages for name in message} == declared


def test_every_service_has_its_place() -> None:
    """Each service that moves data is in a diagram, and writes exactly what the table says."""
    drawn = set(re.findall(r"participant \w+ as service (\S+)", ARCHITECTURE))
    assert set(TOPOLOGY.services) - drawn == {"loader-dead", "status-page"}
    assert {name for cells in rows("Who may write what") for name in in_backticks(cells[0])} == {
        *TOPOLOGY.services,
        "provision",
    }


def test_who_may_write_what_is_what_is_granted() -> None:
    """The table has the objects and topics of every identity in infra/access.yaml."""
    access = yaml.safe_load((REPOSITORY / "infra/access.yaml").read_text(encoding="utf-8"))
    for identity, objects, topics, _ in rows("Who may write what"):
        [name] = in_backticks(identity)
        granted = access["identities"][name]
        writers = ("roles/storage.objectUser", "roles/storage.objectCreator")
        prefixes = {prefix for role in writers for prefix in granted.get("bucket", {}).get(role, [])}
        assert (in_backticks(objects), in_backticks(topics)) == (prefixes, set(granted.get("topics", []))), name
    readers = {name for name, one in access["identities"].items() if one.get("secret")}
    assert readers == {"downloader", "secops-poll"}


def test_the_states_are_those_of_the_ledger() -> None:
    """The diagram also has `due`, which is not in the ledger."""
    diagram = section("The states of a minute").partition("```")[2].partition("```")[0]
    events = next(column for column in LEDGER.columns if column.name == "event").description
    drawn = set(re.findall(r"\b[a-z]+\b(?= -->)|(?<=--> )[a-z]+\b", diagram))
    assert drawn == {"due", *re.findall(r"[a-z]+(?=,| or|\.)|(?<=or )[a-z]+", events)}


def test_each_task_takes_at_most_three_files() -> None:
    """Each task names at most three files."""
    tasks = {task: in_backticks(files) for task, files, _ in rows("How do I ...")}
    assert len(tasks) >= 10
    assert {task: files for task, files in tasks.items() if not 1 <= len(files) <= MAX_FILES} == {}


def test_every_decision_says_its_context_and_its_consequences() -> None:
    """There is one page per decision, listed in the README."""
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", (DOCS / "decisions/README.md").read_text(encoding="utf-8")))
    written = {page.name for page in DECISIONS} - {"README.md"}
    assert listed == written
    for name in written:
        headings = re.findall(r"^## (.+)$", (DOCS / "decisions" / name).read_text(encoding="utf-8"), re.M)
        assert headings == ["Context", "Decision", "Consequences"], name
