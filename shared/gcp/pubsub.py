"""Publishing to Pub/Sub: a call returns only once the service has accepted every message."""

from concurrent.futures import Future

from google.api_core import retry as retries
from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound, ResourceExhausted, RetryError
from google.cloud.pubsub_v1.publisher.client import Client as PublisherClient
from google.cloud.pubsub_v1.types import BatchSettings, LimitExceededBehavior, PublisherOptions, PublishFlowControl

from shared.contracts.interfaces import Outgoing
from shared.contracts.messages import Message
from shared.contracts.outcomes import RETRY_SECONDS, Misconfigured, Retryable
from shared.runtime.tracing import TRACEPARENT, traceparent

# A publish request holds at most 1000 messages and 10 MB (cloud.google.com/pubsub/quotas). Waiting ten milliseconds
# batches a range of minutes and hardly delays a single message.
_BATCH = BatchSettings(max_messages=1000, max_bytes=4_000_000, max_latency=0.01)
# A replay of a week publishes 10,080 messages a feed; beyond these limits publish() blocks instead of using more
# memory.
_FLOW = PublishFlowControl(
    message_limit=20_000, byte_limit=50_000_000, limit_exceeded_behavior=LimitExceededBehavior.BLOCK
)
_OPTIONS = {"self", "topic", "data", "ordering_key", "retry", "timeout"}


class PubSubPublisher:
    """Publishes with Google's client to the topics whose names begin with `prefix`; thread-safe."""

    def __init__(self, project: str, prefix: str = "") -> None:
        self._project = project
        self._prefix = prefix
        self._client = PublisherClient(
            batch_settings=_BATCH,
            publisher_options=PublisherOptions(
                flow_control=_FLOW,
                retry=retries.Retry(
                    predicate=retries.if_transient_error, initial=0.1, maximum=5, timeout=RETRY_SECONDS
                ),
                timeout=RETRY_SECONDS,
            ),
        )

    def publish(self, *messages: Message | Outgoing) -> int:
        """Publish all messages; raise Misconfigured for a missing topic or permission, Retryable for other failures."""
        futures = [self._publish(message) for message in messages]
        for message, future in zip(messages, futures, strict=True):
            self._wait(future, f"{self._prefix}{message.topic}")
        return len(futures)

    def close(self) -> None:
        """Publish pending messages and close the connection."""
        self._client.stop()
        self._client.transport.close()  # type: ignore[no-untyped-call]

    def _publish(self, message: Message | Outgoing) -> Future[str]:
        path = self._client.topic_path(self._project, f"{self._prefix}{message.topic}")
        trace = traceparent()
        given = {**({TRACEPARENT: trace} if trace else {}), **message.attributes}
        # The client takes attributes as keyword arguments; a foreign attribute must not become one of its options.
        attributes = {f"_{name}" if name in _OPTIONS else name: value for name, value in given.items()}
        return self._client.publish(path, message.body, **attributes)  # type: ignore[arg-type]

    def _wait(self, future: Future[str], topic: str) -> None:
        try:
            future.result(timeout=2 * RETRY_SECONDS)
        except NotFound:
            raise Misconfigured(f"topic {topic!r} does not exist in project {self._project!r}") from None
        except Forbidden as error:
            raise Misconfigured(
                f"publishing to topic {topic!r} needs roles/pubsub.publisher: {error.message}"
            ) from None
        except ResourceExhausted as error:
            raise Retryable(
                f"publishing to topic {topic!r} failed: {error.message}", error_type="quota_spent"
            ) from error
        except (GoogleAPICallError, RetryError, TimeoutError) as error:
            raise Retryable(f"publishing to topic {topic!r} failed: {error}") from error
