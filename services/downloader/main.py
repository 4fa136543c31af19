"""Entry point of the downloader: a push of MinuteRequested in, ack or nack out."""

import functions_framework
from flask import Request

from services.downloader.build import build
from services.downloader.settings import DownloaderSettings
from shared.envelope import read_message
from shared.messages import FEED_MINUTES, minute_requested
from shared.push import Answer, answer_push
from shared.service import Once, start

settings = start(DownloaderSettings)
parts = Once(lambda: build(settings))


@functions_framework.http
def download(request: Request) -> Answer:
    """Land the minute that one push asks for."""
    return answer_push(
        request,
        lambda delivery: parts().downloader.handle(read_message(minute_requested, delivery)),
        topic=FEED_MINUTES,
        publisher=lambda: parts().publisher,
    )
