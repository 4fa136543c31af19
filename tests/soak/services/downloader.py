"""The downloader with fault points; functions-framework loads this file."""

from services.downloader import main
from services.downloader.build import Parts, build
from shared.service import Once
from tests.soak.points import here
from tests.soak.wrappers import mortal_edges


def _build() -> Parts:
    bucket, publisher = mortal_edges(main.settings, here())
    return build(main.settings, bucket=bucket, publisher=publisher)


main.parts = Once(_build)
download = main.download
