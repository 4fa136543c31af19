"""The planner with fault points, and with a clock that the soak moves; functions-framework loads this file."""

from services.planner import main
from services.planner.build import Parts, build
from shared.service import Once
from tests.soak.points import clock, here
from tests.soak.wrappers import mortal_edges


def _build() -> Parts:
    points = here()
    bucket, publisher = mortal_edges(main.settings, points)
    return build(main.settings, bucket=bucket, publisher=publisher, now=clock(points.folder, "planner"))


main.parts = Once(_build)
plan = main.plan
