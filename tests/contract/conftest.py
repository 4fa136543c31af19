"""The warehouse on the emulators."""

from collections.abc import Iterator

import pytest

from infra.local.endpoints import Endpoints
from tests.warehouse import Warehouse, provisioned


@pytest.fixture(scope="session")
def shared_warehouse(emulators: Endpoints) -> Iterator[Warehouse]:
    """Provision once: it takes the emulator longer than most tests."""
    with provisioned(emulators) as warehouse:
        yield warehouse


@pytest.fixture
def warehouse(shared_warehouse: Warehouse) -> Warehouse:
    """Return an empty warehouse; its tables are not to be changed."""
    shared_warehouse.clear()
    return shared_warehouse


@pytest.fixture
def own_warehouse(emulators: Endpoints) -> Iterator[Warehouse]:
    """Return an empty warehouse for a test that changes or drops tables."""
    with provisioned(emulators) as warehouse:
        yield warehouse
