"""Google's REST APIs as a table of answers, below a real session."""

import io
import json
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import BaseAdapter

from infra.doctor.google_rest import GoogleRest

Answer = Mapping[str, object] | tuple[int, Mapping[str, object]] | Callable[["Asked"], "Answer"]


class Asked:
    """A request: its key in the table, its query and its JSON body."""

    def __init__(self, request: requests.PreparedRequest) -> None:
        url = urlsplit(str(request.url))
        self.key = f"{request.method} {url.netloc}{url.path}"
        self.query = parse_qs(url.query)
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        try:
            self.body: object = json.loads(body)
        except ValueError:
            self.body = None


class GoogleDouble(BaseAdapter):
    """Answers from a table by `METHOD host/path`; what is not in it does not exist."""

    def __init__(self, answers: dict[str, Answer] | None = None) -> None:
        super().__init__()
        self.answers = answers or {}
        self.asked: list[str] = []

    def access(self) -> GoogleRest:
        """Return a client of this double."""
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", self)
        return GoogleRest(session)

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        """Answer a request."""
        asked = Asked(request)
        self.asked.append(asked.key)
        answer: Answer = self.answers.get(asked.key, (404, {"error": {"message": "not found"}}))
        while callable(answer):
            answer = answer(asked)
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        response = requests.Response()
        response.status_code = status
        response.raw = io.BytesIO(json.dumps(content).encode())
        response.request, response.url = request, str(request.url)
        return response

    def close(self) -> None:
        """Close nothing."""


def refused(status: int, message: str = "refused") -> Answer:
    """Return a refusal in Google's JSON."""
    return status, {"error": {"code": status, "message": message}}
