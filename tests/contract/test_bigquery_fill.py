"""On request, provisioning fills a new headline column from history."""

from collections.abc import Iterator

import pytest

from infra.endpoints import Endpoints
from shared.feeds.definition import Feed, Headline
from shared.operations.provision import provision_mesh
from shared.warehouse.fill import fill_from_history
from tests.support.landed import domain
from tests.support.operations import mesh_of
from tests.support.warehouse import DOMAINS, Warehouse, provisioned, utc


@pytest.fixture
def warehouse(emulators: Endpoints) -> Iterator[Warehouse]:
    """Return a dataset for one test, whose tables may be altered."""
    with provisioned(emulators) as warehouse:
        yield warehouse


def grown() -> Feed:
    """Return the feed with two new headline columns and one whose path has changed."""
    new = (
        Headline(name="whois", type="STRING", path="attributes.whois", description="Registration record."),
        Headline(name="hosts", type="ARRAY<STRING>", path="attributes.hosts", description="Hosts."),
    )
    kept = [
        column.model_copy(update={"path": "attributes.zone"}) if column.name == "tld" else column
        for column in DOMAINS.headline
    ]
    return DOMAINS.model_copy(update={"headline": (*kept, *new)})


def test_new_columns_are_filled_in_place(warehouse: Warehouse) -> None:
    """Each row of base and recent gets the values from its own object; a second run changes nothing."""
    first = warehouse.land(utc(14, 10), domain("a", analysed=1, whois="old"), domain("b", analysed=1, whois="b"))
    warehouse.load(first)
    warehouse.merge()
    warehouse.fold()
    warehouse.load(warehouse.land(utc(14, 11), domain("a", analysed=2, whois="a", hosts=["x", "y"], tld="n", zone="z")))
    warehouse.merge()
    warehouse.provision(grown())
    assert warehouse.read("domains", "id, whois, hosts, tld") == [("a", None, [], "n"), ("b", None, [], None)]
    filled = [("a", "a", ["x", "y"], "z"), ("b", "b", [], None)]
    for _ in range(2):
        done = list(fill_from_history(warehouse.client, warehouse.dataset, [grown()]))
        assert done == ["filled domains_base and domains_recent from history"]
        assert warehouse.read("domains", "id, whois, hosts, tld") == filled


def test_a_row_whose_object_has_expired_stays_as_it_is(warehouse: Warehouse) -> None:
    """A current row whose object has expired keeps its headline."""
    warehouse.load(warehouse.land(utc(14, 10), domain("a", analysed=1, tld="net")))
    warehouse.merge()
    warehouse.run(f"TRUNCATE TABLE {warehouse.dataset}.domains_history")
    list(fill_from_history(warehouse.client, warehouse.dataset, [DOMAINS]))
    assert warehouse.read("domains_current", "id, tld") == [("a", "net")]


def test_provisioning_fills_only_when_asked_to(warehouse: Warehouse) -> None:
    """Filling columns reads the whole archive, which costs money, so provisioning does it only on request."""
    warehouse.load(warehouse.land(utc(14, 10), domain("a", analysed=1, tld="net")))
    warehouse.merge()
    warehouse.run(f"UPDATE {warehouse.dataset}.domains_recent SET tld = NULL WHERE TRUE")  # noqa: S608
    mesh = mesh_of(warehouse)
    assert "filled domains_base and domains_recent from history" not in provision_mesh(mesh)
    assert warehouse.read("domains", "id, tld") == [("a", None)]
    assert provision_mesh(mesh, fill=True)[-1] == "filled domains_base and domains_recent from history"
    assert warehouse.read("domains", "id, tld") == [("a", "net")]
