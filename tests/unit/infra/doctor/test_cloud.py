"""The doctor examines the mesh with the key that its services use."""

import base64

from infra.doctor.cloud import stored_key
from tests.support.google_double import GoogleDouble
from tests.support.healthy_project import project


def test_the_key_is_the_version_that_is_deployed() -> None:
    """A newer version that the services do not use yet says nothing about them."""
    double = GoogleDouble()
    for version in ("3", "latest"):
        payload = {"payload": {"data": base64.b64encode(version.encode()).decode()}}
        name = f"secretmanager.googleapis.com/v1/projects/p1/secrets/vt-api-key/versions/{version}:access"
        double.answers[f"GET {name}"] = payload
    assert stored_key(project(double), "3").get_secret_value() == "3"
