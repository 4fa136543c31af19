"""The forwarder with fault points, and a clock for its leases; functions-framework loads this file."""

from services.secops_forwarder import main
from services.secops_forwarder.build import Components, build, build_secops
from shared.runtime.service import Lazy
from tests.soak.points import clock, here
from tests.soak.wrappers import MortalImports, mortal_edges


def _build() -> Components:
    points = here()
    bucket, publisher = mortal_edges(main.settings, points)
    return build(
        main.settings,
        bucket=bucket,
        publisher=publisher,
        secops=MortalImports(build_secops(main.settings), points),
        now=clock(points.folder, points.service.removesuffix("-2")),
    )


main.components = Lazy(_build)
poll = main.poll
import_page = main.import_page
