"""The key's resource name, in every form that an operator may write."""

import pytest

from shared.gcp.secrets import secret_version


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
