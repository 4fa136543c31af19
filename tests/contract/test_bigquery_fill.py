"""A headline column that joins later is filled from history on request."""

from collections.abc import Iterator

import pytest

from infra.local.endpoints import Endpoints
from services.console.provision import provision_mesh
from shared.feeds.definition import Feed, Headline
from shared.warehouse.fill import fill_from_history
from tests.console import mesh_of
from tests.landed import domain
from tests.warehouse import DOMAINS, Warehouse, provisioned, utc


@pytest.fixture
def own(emulators: Endpoints) -> Iterator[Warehouse]:
    """Return a dataset of this test's own, whose tables may change their shape."""
    with provisioned(emulators) as warehouse:
        yield warehouse


def grown() -> Feed:
    """Return the feed with two headline columns that it did not have, and one whose path has changed."""
    new = (
        Headline(name="whois", type="STRING", path="attributes.whois", description="Registration record."),
        Headline(name="hosts", type="ARRAY<STRING>", path="attributes.hosts", description="Hosts."),
    )
    kept = [
        column.model_copy(update={"path": "attributes.zone"}) if column.name == "tld" else column
        for column in DOMAINS.headline
    ]
    return DOMAINS.model_copy(update={"headline": (*kept, *new)})


def test_new_columns_are_filled_in_place(own: Warehouse) -> None:
    """Each current row takes them from its own object, newest versions as they are; a second time changes nothing."""
    first = own.land(utc(14, 10), domain("a", analysed=1, whois="old"), domain("b", analysed=1, whois="b"))
    own.load(first)
    own.load(own.land(utc(14, 11), domain("a", analysed=2, whois="a", hosts=["x", "y"], tld="n", zone="z")))
    own.merge()
    own.provision(grown())
    assert own.read("domains", "id, whois, hosts, tld") == [("a", None, [], "n"), ("b", None, [], None)]
    filled = [("a", "a", ["x", "y"], "z"), ("b", "b", [], None)]
    for _ in range(2):
        done = list(fill_from_history(own.client, own.dataset, [grown()]))
        assert done == ["filled domains_current from history"]
        assert own.read("domains", "id, whois, hosts, tld") == filled


def test_a_row_whose_object_has_expired_stays_as_it_is(own: Warehouse) -> None:
    """Its headline is all that is left of it."""
    own.load(own.land(utc(14, 10), domain("a", analysed=1, tld="net")))
    own.merge()
    own.run(f"TRUNCATE TABLE {own.dataset}.domains_history")
    list(fill_from_history(own.client, own.dataset, [DOMAINS]))
    assert own.read("domains_current", "id, tld") == [("a", "net")]


def test_provisioning_fills_only_when_asked_to(own: Warehouse) -> None:
    """It reads the whole archive, which costs money."""
    own.load(own.land(utc(14, 10), domain("a", analysed=1, tld="net")))
    own.merge()
    own.run(f"UPDATE {own.dataset}.domains_current SET tld = NULL WHERE TRUE")  # noqa: S608
    mesh = mesh_of(own)
    assert "filled domains_current from history" not in provision_mesh(mesh)
    assert own.read("domains", "id, tld") == [("a", None)]
    assert provision_mesh(mesh, fill=True)[-1] == "filled domains_current from history"
    assert own.read("domains", "id, tld") == [("a", "net")]
