"""The merger with fault points; functions-framework loads this file."""

from services.merger import main
from services.merger.build import build, sql_runner
from services.merger.merge import Merger
from shared.service import Once
from tests.soak.points import here
from tests.soak.wrappers import mortal_sql


def _build() -> Merger:
    return build(main.settings, run=mortal_sql(sql_runner(main.settings), here()))


main.merger = Once(_build)
merge = main.merge
