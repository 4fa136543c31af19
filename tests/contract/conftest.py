"""The warehouse on the emulators."""

from collections.abc import Iterator

import pytest

from infra.local.endpoints import Endpoints
from tests.warehouse import Warehouse, provisioned


@pytest.fixture
def warehouse(emulators: Endpoints) -> Iterator[Warehouse]:
    """Return an empty warehouse of this test's own."""
    with provisioned(emulators) as warehouse:
        yield warehouse
