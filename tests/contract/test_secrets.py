"""The key from Secret Manager: Google's real client against a fake of its service."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import grpc
import pytest
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport
from google.cloud.secretmanager_v1.types import AccessSecretVersionRequest, AccessSecretVersionResponse

from shared.contracts.outcomes import Misconfigured, Retryable
from shared.gcp.secrets import SecretManagerKey
from shared.virustotal.client import VirusTotal
from shared.virustotal.errors import KeyRefused
from tests.support.simulator import Running

Handler: TypeAlias = "grpc.RpcMethodHandler[AccessSecretVersionRequest, AccessSecretVersionResponse]"
RESOURCE = "projects/p/secrets/vt-key/versions/latest"


class SecretService(grpc.GenericRpcHandler):
    """Secret Manager with one secret; a status in place of a payload makes the call fail with it."""

    def __init__(self) -> None:
        self.payload: bytes | grpc.StatusCode = b"first-key\n"
        self.calls = 0

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler":
        """Answer every method as AccessSecretVersion."""
        return grpc.unary_unary_rpc_method_handler(
            self._access,
            request_deserializer=AccessSecretVersionRequest.deserialize,
            response_serializer=AccessSecretVersionResponse.serialize,
        )

    def _access(
        self, request: AccessSecretVersionRequest, context: grpc.ServicerContext
    ) -> AccessSecretVersionResponse:
        self.calls += 1
        if isinstance(self.payload, grpc.StatusCode):
            context.abort(self.payload, "said the double")
        return AccessSecretVersionResponse(name=request.name, payload={"data": self.payload})


@pytest.fixture
def service() -> SecretService:
    """Return a fake service."""
    return SecretService()


@pytest.fixture
def client(service: SecretService) -> Iterator[Callable[[], SecretManagerServiceClient]]:
    """Serve the fake over gRPC and return Google's client of it."""
    server = grpc.server(ThreadPoolExecutor(max_workers=2), handlers=[service])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    yield lambda: SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
    channel.close()
    server.stop(grace=None)


def test_the_key_is_read_once_and_stripped(
    service: SecretService, client: Callable[[], SecretManagerServiceClient]
) -> None:
    """The first use reads the secret and strips white space; later uses do not read it."""
    key = SecretManagerKey(RESOURCE, client)
    assert service.calls == 0
    assert key.read().get_secret_value() == "first-key"
    assert key.read().get_secret_value() == "first-key"
    assert service.calls == 1


def test_trouble_is_tried_again_for_a_while(
    service: SecretService, client: Callable[[], SecretManagerServiceClient]
) -> None:
    """Reading the secret is limited to the time of a push; Google's client alone would retry for a minute."""
    service.payload = grpc.StatusCode.UNAVAILABLE
    began = time.monotonic()
    with pytest.raises(Retryable, match="could not be read"):
        SecretManagerKey(RESOURCE, client, retry_seconds=5.0).read()
    assert service.calls > 1
    assert time.monotonic() - began < 50


def test_a_rotated_key_is_found_after_a_refusal(
    service: SecretService, client: Callable[[], SecretManagerServiceClient]
) -> None:
    """A refused key makes the secret be read again; if its value is unchanged, there is no other key."""
    key = SecretManagerKey(RESOURCE, client)
    old = key.read()
    assert not key.refused(old)
    service.payload = b"second-key"
    assert key.refused(old)
    assert key.read().get_secret_value() == "second-key"
    assert key.refused(old), "a thread that comes late with the old key is told that there is a new one"


def test_a_key_is_rotated_while_packages_come(
    service: SecretService, client: Callable[[], SecretManagerServiceClient], vt: Running
) -> None:
    """Rotation as in docs/operations.md works without a restart: add a secret version, then revoke the old key.

    The first 401 makes the client read the newer version within the same call, and only once.
    """
    vt.control.accept_keys("first-key", "second-key")
    source = VirusTotal(api_url=f"{vt.url}/api/v3", key=SecretManagerKey(RESOURCE, client))
    assert fetched(source)
    service.payload = b"second-key\n"
    assert fetched(source)
    assert service.calls == 1, "the old key is good until the source refuses it"
    vt.control.accept_keys("second-key")
    assert fetched(source)
    assert fetched(source)
    assert service.calls == 2
    vt.control.accept_keys("third-key")
    with pytest.raises(KeyRefused, match="VT_API_KEY_SECRET"):
        fetched(source)


def fetched(source: VirusTotal) -> bytes:
    """Read a package."""
    with source.package("domains", datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=90)) as body:
        return b"".join(body.chunks())


@pytest.mark.parametrize(
    ("payload", "error", "text"),
    [
        (grpc.StatusCode.NOT_FOUND, Misconfigured, f"secret {RESOURCE} does not exist"),
        (grpc.StatusCode.PERMISSION_DENIED, Misconfigured, "grant roles/secretmanager.secretAccessor"),
        (grpc.StatusCode.INTERNAL, Retryable, "could not be read"),
        (b" \n", Misconfigured, "is empty"),
        (
            b"first\xe2\x80\x8bkey",
            Misconfigured,
            r"latest: character 6 of 9 is U\+200B ZERO WIDTH SPACE",
        ),
        (b"first\nkey", Misconfigured, r"character 6 of 9 is U\+000A LINE FEED.* add it as a new version"),
        (b"first-key\xff", Misconfigured, r"character 10 of 10 is U\+FFFD REPLACEMENT CHARACTER"),
    ],
)
def test_what_is_wrong_with_a_secret_is_said(
    service: SecretService,
    client: Callable[[], SecretManagerServiceClient],
    payload: bytes | grpc.StatusCode,
    error: type[Exception],
    text: str,
) -> None:
    """Missing, forbidden, broken, empty and mistyped secrets have different errors, which never show the value."""
    service.payload = payload
    key = SecretManagerKey(RESOURCE, client)
    with pytest.raises(error, match=text) as caught:
        key.read()
    assert "first" not in str(caught.value)
    service.payload = b"good-key"
    assert key.read().get_secret_value() == "good-key"
