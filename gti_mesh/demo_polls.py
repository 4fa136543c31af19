"""Polls of a demo's streams in an earlier hour: a new log has none that is complete."""

from datetime import datetime

from infra.find_mesh import point_at
from infra.local.process_specs import SIMULATOR_KEY
from services.secops_forwarder.build import build_poller
from services.secops_forwarder.settings import SecOpsSettings
from shared.operations.mesh import Mesh
from shared.runtime.settings import read_settings

# The simulated tenant accepts any.
_CUSTOMER = "0"


def poll_as_of(mesh: Mesh, now: datetime) -> None:
    """Poll the streams that go into BigQuery, as the service did whose clock showed a time."""
    point_at({"VT_API_KEY": SIMULATOR_KEY, "CHRONICLE_CUSTOMER_ID": _CUSTOMER})
    settings = read_settings(SecOpsSettings)
    poller = build_poller(settings, mesh.bucket, mesh.publisher, now=lambda: now)
    for stream in settings.polled():
        if stream.name in settings.streams_to_bigquery:
            poller.poll(stream)
