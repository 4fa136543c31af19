"""The needs of an identity by the calls that its code reaches, and its grants in access.yaml."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from infra.topology import read_topology
from tests.support.paths import REPOSITORY
from tests.terraform.code import ROOT
from tests.terraform.reach import Reach

Entry = tuple[str, frozenset[str]]

# Entries that the topology does not tell: the job, and the commands that an operator runs against the cloud.
_COMMANDS = {
    "provision": [("shared.operations.provision", frozenset({"provision_mesh"}))],
    "operator": [
        *((f"gti_mesh.{name}", frozenset({name})) for name in ("audit", "gaps", "replay", "status")),
        ("gti_mesh.dead", frozenset({"list_dead", "show_dead", "redrive_dead", "discard_dead"})),
        ("gti_mesh.secops", frozenset({"replay"})),
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
    content: Mapping[str, Any] = yaml.safe_load((REPOSITORY / "infra" / "access.yaml").read_text(encoding="utf-8"))
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
    """Return the calls that an identity's code reaches."""
    reach = Reach(frozenset(access()["calls"]))
    for module, names in entries()[identity]:
        reach.follow(module, names)
    return reach


def needed(identity: str) -> set[str]:
    """Return the roles that the calls need, as `where role`, topics by name."""
    reach = reach_of(identity)
    found = {need for call in reach.calls for need in access()["calls"][call]}
    if "topic roles/pubsub.publisher" in found:
        found.remove("topic roles/pubsub.publisher")
        found |= {f"topic {topic}" for topic in reach.topics()}
    if identity == "operator":
        found |= {need for needs in access()["commands"].values() for need in needs}
    return found | {_of_sql(name) for name in reach.sql()}


def _of_sql(name: str) -> str:
    files = list(ROOT.glob(f"services/*/{name}")) + list(ROOT.glob(f"shared/*/{name}"))
    assert files, name
    writes = any(_WRITING_SQL.search(file.read_text(encoding="utf-8")) for file in files)
    return f"dataset roles/bigquery.{'dataEditor' if writes else 'dataViewer'}"


def granted(identity: str) -> set[str]:
    """Return the grants of access.yaml in the same format."""
    given = access()["operator"] if identity == "operator" else access()["identities"][identity]
    return set(_granted(given))


def _granted(given: Mapping[str, Any]) -> Iterator[str]:
    for where in ("project", "dataset", "secops", "bucket", "secret", "job"):
        yield from (f"{where} {role}" for role in given.get(where, ()))
    yield from (f"topic {topic}" for topic in given.get("topics", ()))
    if given.get("subscriptions"):
        yield "subscription roles/pubsub.subscriber"
    for service, roles in given.get("services", {}).items():
        yield from (f"service {service} {role}" for role in roles)


def permissions_of(roles: Iterable[str]) -> set[str]:
    """Return roles with their permissions."""
    return {each for role in roles for each in (role, *_HOLDS.get(role, ()))}
