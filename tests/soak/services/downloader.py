"""The downloader with fault points; functions-framework loads this file."""

from services.downloader import main
from services.downloader.build import Components, build
from shared.runtime.service import Lazy
from tests.soak.points import here
from tests.soak.wrappers import mortal_edges


def _build() -> Components:
    bucket, publisher = mortal_edges(main.settings, here())
    return build(main.settings, bucket=bucket, publisher=publisher)


main.components = Lazy(_build)
download = main.download
