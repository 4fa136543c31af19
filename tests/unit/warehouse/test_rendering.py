"""Templates say what they need."""

import pytest
from jinja2 import UndefinedError

from shared.warehouse.rendering import render


def test_a_missing_value_is_an_error() -> None:
    """A table name with a hole in it would be another table."""
    with pytest.raises(UndefinedError, match="dataset"):
        render("shared.warehouse/minute_states.sql")
