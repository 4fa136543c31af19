"""Build the page's mesh from its settings, with real clients."""

from services.status_page.reading import Readings
from services.status_page.settings import PageSettings
from services.status_page.shape import shape
from shared.contracts.minutes import utc_now
from shared.operations.coverage import read_coverages
from shared.operations.mesh import Mesh
from shared.operations.status import StatusReader


def build(settings: PageSettings) -> Readings:
    """Connect to Google Cloud."""
    mesh = Mesh(settings, state=settings.state)
    status = StatusReader(mesh)

    def read() -> dict[str, object]:
        now = utc_now()
        coverages = read_coverages(mesh, settings.feed_definitions(), now)
        return shape(status.read(coverages, now), coverages, seconds=settings.seconds)

    return Readings(read, seconds=settings.seconds)
