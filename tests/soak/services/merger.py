"""The merger with fault points; functions-framework loads this file."""

from services.merger import main
from services.merger.build import build, build_folder, sql_runner
from services.merger.fold import Folder
from services.merger.merge import Merger
from services.merger.transactions import RunSql
from shared.runtime.service import Lazy
from tests.soak.points import here
from tests.soak.wrappers import mortal_sql


def _build() -> Merger:
    return build(main.settings, run=_mortal(main.settings.max_bytes_billed))


def _build_folder() -> Folder:
    return build_folder(main.settings, run=_mortal(main.settings.fold_max_bytes_billed))


def _mortal(max_bytes_billed: int | None) -> RunSql:
    return mortal_sql(sql_runner(main.settings, max_bytes_billed=max_bytes_billed), here())


main.merger = Lazy(_build)
main.folder = Lazy(_build_folder)
merge = main.merge
