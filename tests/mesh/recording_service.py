"""A service that records its requests, started by functions-framework in place of the real ones."""

import base64
import json
import os
from pathlib import Path

import flask
import functions_framework


@functions_framework.http
def handle(request: flask.Request) -> tuple[str, int]:
    """Write one line into the record; fail when a pushed message names this service as failing."""
    envelope = request.get_json(silent=True) or {}
    message = envelope.get("message", {})
    body = base64.b64decode(message.get("data", "")).decode()
    seen = {
        "service": os.environ["K_SERVICE"],
        "path": request.path,
        "subscription": envelope.get("subscription"),
        "body": body,
        "attributes": message.get("attributes", {}),
        "environment": dict(os.environ),
    }
    with Path(os.environ["REQUEST_RECORD"]).open("a", encoding="utf-8") as record:
        record.write(json.dumps(seen) + "\n")
    return ("", 500) if body == f"fail in {seen['service']}" else ("", 200)
