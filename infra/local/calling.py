"""Call the control endpoint of a server on this machine."""

from requests import Response, Session

_TIMEOUT_SECONDS = 30.0


def call(method: str, url: str, *, json: object = None, data: bytes | None = None) -> Response:
    """Return the answer; raise ValueError with what the server said when it refused."""
    with Session() as session:
        # A proxy of the environment knows nothing of this machine's own ports.
        session.trust_env = False
        answer = session.request(method, url, json=json, data=data, timeout=_TIMEOUT_SECONDS)
    if answer.status_code != 200:
        raise ValueError(f"{method} {url} was refused: {answer.text}")
    return answer
