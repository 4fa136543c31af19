"""Build the page's view of the mesh from its settings and the real edges."""

from datetime import UTC, datetime

from services.console.coverage import read_coverages
from services.console.feeds import feed_status
from services.console.mesh import Mesh
from services.console.page.reading import Readings
from services.console.page.settings import PageSettings
from services.console.page.shape import shape
from services.console.status import mesh_status
from services.console.stream_log import StreamReaders


def build(settings: PageSettings) -> Readings:
    """Connect to Google Cloud."""
    mesh = Mesh(settings, None)
    streams = StreamReaders(mesh.bucket)

    def read() -> dict[str, object]:
        now = datetime.now(UTC)
        coverages = read_coverages(mesh, settings.feed_definitions(), now)
        status = mesh_status(mesh, [feed_status(coverage, now) for coverage in coverages], streams.read(now), now)
        return shape(status, coverages, seconds=settings.seconds)

    return Readings(read, seconds=settings.seconds)
