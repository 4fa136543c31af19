"""Entry point of the downloader: a push of MinuteRequested in, ack or nack out."""

import functions_framework

from services.downloader.build import build
from services.downloader.settings import DownloaderSettings
from shared.contracts.messages import MinuteRequested, minute_requested
from shared.runtime.push import push_handler
from shared.runtime.service import Lazy, start

settings = start(DownloaderSettings)
components = Lazy(lambda: build(settings))


@functions_framework.http
@push_handler(minute_requested, lambda: components().publisher, settings.max_delivery_attempts)
def download(request: MinuteRequested) -> None:
    """Land the minute of one push."""
    components().downloader.handle(request)
