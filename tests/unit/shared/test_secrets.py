"""The key's resource name, in every form an operator writes it."""

import pytest
from pydantic import SecretStr

from shared.gcp.secrets import secret_version
from shared.outcomes import Misconfigured
from shared.virustotal.client import FixedKey


@pytest.mark.parametrize(
    ("secret", "resource"),
    [
        ("vt-key", "projects/p/secrets/vt-key/versions/latest"),
        ("projects/q/secrets/vt-key", "projects/q/secrets/vt-key/versions/latest"),
        ("projects/q/secrets/vt-key/versions/7", "projects/q/secrets/vt-key/versions/7"),
    ],
)
def test_a_secret_is_named_in_any_form(secret: str, resource: str) -> None:
    """A bare name, a resource without a version and a full resource all lead to one version."""
    assert secret_version("p", secret, "latest") == resource


def test_no_key_is_refused_with_what_to_set() -> None:
    """An empty key never reaches the source."""
    with pytest.raises(Misconfigured, match="set VT_API_KEY"):
        FixedKey(SecretStr(""))
