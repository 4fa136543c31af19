"""The planner with fault points, and with a clock that the soak moves; functions-framework loads this file."""

from services.planner import main
from services.planner.build import Components, build
from shared.runtime.service import Lazy
from tests.soak.points import clock, here
from tests.soak.wrappers import mortal_edges


def _build() -> Components:
    points = here()
    bucket, publisher = mortal_edges(main.settings, points)
    return build(main.settings, bucket=bucket, publisher=publisher, now=clock(points.folder, "planner"))


main.components = Lazy(_build)
plan = main.plan
