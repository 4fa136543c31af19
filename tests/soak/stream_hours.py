"""Hours of streams that are complete, for BigQuery: those of the run itself are over only after an hour."""

from collections.abc import Callable
from datetime import datetime, timedelta

from gti_mesh.demo_polls import poll_as_of
from tests.soak.soak_mesh import SoakMesh

# Twice an hour the source has so many new items, and some time later they are polled.
_ITEMS = 15
_TIMES = (timedelta(minutes=10), timedelta(minutes=40))
_LATER = timedelta(minutes=10)


def collect_hours(soak_mesh: SoakMesh) -> None:
    """Let the source have items in past hours, and poll as of then; the services' polls continue the log."""
    add: dict[str, Callable[[datetime], list[str]]] = {
        "ioc_stream": lambda begin: soak_mesh.lists.add(begin, count=_ITEMS, spacing=7.0),
        "dtm_alerts": lambda begin: soak_mesh.lists.add_alerts(begin, count=_ITEMS, spacing=7.0),
    }
    streams = soak_mesh.size.to_bigquery
    hours = sorted({hour for stream in streams for hour in soak_mesh.hours_before(stream)})
    for begin in (hour + time for hour in hours for time in _TIMES):
        for stream in streams:
            soak_mesh.served.setdefault(stream, set()).update(add[stream](begin))
        poll_as_of(soak_mesh.mesh_view, begin + _LATER)
