"""What an identity needs by the calls that its code reaches, and what access.yaml grants it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from infra.topology import read_topology
from tests.terraform.code import ROOT
from tests.terraform.configuration import TERRAFORM
from tests.terraform.reach import Reach

Entry = tuple[str, frozenset[str]]

# Entries that the topology does not tell: the job, and the commands that an operator runs against the cloud.
_COMMANDS = {
    "provision": [("services.console.provision", frozenset({"provision_mesh"}))],
    "operator": [
        ("services.console.main", frozenset({"audit", "replay"})),
        (
            "services.console.operate",
            frozenset({"status", "gaps", "list_dead", "show_dead", "redrive_dead", "discard_dead"}),
        ),
        ("services.console.secops", frozenset({"replay"})),
    ],
}

# What a role holds beside its own name.
_HOLDS = {
    "dataset roles/bigquery.dataEditor": {"dataset roles/bigquery.dataViewer", "dataset gtiMeshLedgerWriter"},
    "bucket roles/storage.objectUser": {"bucket roles/storage.objectCreator"},
}
_WRITING_SQL = re.compile(r"\b(MERGE|INSERT|DELETE|UPDATE|CREATE|ALTER)\b")


@cache
def access() -> Mapping[str, Any]:
    """Return access.yaml."""
    content: Mapping[str, Any] = yaml.safe_load((TERRAFORM / "access.yaml").read_text(encoding="utf-8"))
    return content


def entries() -> dict[str, list[Entry]]:
    """Return the entry functions of every identity."""
    services = {
        name: [(one.source.removesuffix(".py").replace("/", "."), frozenset({one.target}))]
        for name, one in read_topology().services.items()
    }
    return {**services, **_COMMANDS}


@cache
def reach_of(identity: str) -> Reach:
    """Return what an identity's code reaches."""
    reach = Reach(frozenset(access()["calls"]))
    for module, names in entries()[identity]:
        reach.follow(module, names)
    return reach


def needed(identity: str) -> set[str]:
    """Return what the calls need, as `where role`, topics by name."""
    reach = reach_of(identity)
    found = {need for call in reach.calls for need in access()["calls"][call]}
    if "topic roles/pubsub.publisher" in found:
        found.remove("topic roles/pubsub.publisher")
        found |= {f"topic {topic}" for topic in reach.topics()}
    return found | {_of_sql(name) for name in reach.sql()}


def _of_sql(name: str) -> str:
    files = list(ROOT.glob(f"services/*/{name}")) + list(ROOT.glob(f"shared/*/{name}"))
    assert files, name
    writes = any(_WRITING_SQL.search(file.read_text(encoding="utf-8")) for file in files)
    return f"dataset roles/bigquery.{'dataEditor' if writes else 'dataViewer'}"


def granted(identity: str) -> set[str]:
    """Return what access.yaml grants, in the same words."""
    given = access()["operator"] if identity == "operator" else access()["identities"][identity]
    return set(_granted(given))


def _granted(given: Mapping[str, Any]) -> Iterator[str]:
    for where in ("project", "dataset", "secops", "bucket"):
        yield from (f"{where} {role}" for role in given.get(where, ()))
    yield from (f"topic {topic}" for topic in given.get("topics", ()))
    if given.get("subscriptions"):
        yield "subscription roles/pubsub.subscriber"
    if given.get("secret"):
        yield "secret roles/secretmanager.secretAccessor"


def held(roles: Iterable[str]) -> set[str]:
    """Return roles with everything that they hold."""
    return {each for role in roles for each in (role, *_HOLDS.get(role, ()))}
