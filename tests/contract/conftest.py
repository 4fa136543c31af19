"""The warehouse on the emulators."""

from collections.abc import Iterator

import pytest

from infra.endpoints import Endpoints
from tests.support.warehouse import Warehouse, provisioned


@pytest.fixture(scope="session")
def shared_warehouse(emulators: Endpoints) -> Iterator[Warehouse]:
    """Provision the warehouse once per session; this takes the emulator longer than most tests."""
    with provisioned(emulators) as warehouse:
        yield warehouse


@pytest.fixture
def warehouse(shared_warehouse: Warehouse) -> Warehouse:
    """Return an empty warehouse. Tests must not change its tables."""
    shared_warehouse.clear()
    return shared_warehouse


@pytest.fixture
def own_warehouse(emulators: Endpoints) -> Iterator[Warehouse]:
    """Return an empty warehouse for a test that changes or drops tables."""
    with provisioned(emulators) as warehouse:
        yield warehouse
