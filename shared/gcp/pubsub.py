"""Publishing to Pub/Sub: a call returns only when the service holds every message."""

from collections.abc import Iterable
from concurrent.futures import Future

from google.api_core import retry as retries
from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound, RetryError
from google.cloud.pubsub_v1.publisher.client import Client as PublisherClient
from google.cloud.pubsub_v1.types import BatchSettings, LimitExceededBehavior, PublisherOptions, PublishFlowControl

from shared.outcomes import Misconfigured, Retryable
from shared.ports import Outgoing
from shared.trace import TRACEPARENT, traceparent

# The client's own default keeps trying for ten minutes; the push that waits for us has less.
RETRY_SECONDS = 30.0

# A publish request holds at most 1000 messages and 10 MB (cloud.google.com/pubsub/quotas). Ten milliseconds let a
# range of minutes travel together and cost a single message next to nothing.
_BATCH = BatchSettings(max_messages=1000, max_bytes=4_000_000, max_latency=0.01)
# A replay of a week publishes 10,080 messages a feed; beyond these bounds publish() waits instead of piling up.
_FLOW = PublishFlowControl(
    message_limit=20_000, byte_limit=50_000_000, limit_exceeded_behavior=LimitExceededBehavior.BLOCK
)
_OPTIONS = {"self", "topic", "data", "ordering_key", "retry", "timeout"}


class PubSubPublisher:
    """Publishes through Google's client; safe for several threads."""

    def __init__(self, project: str) -> None:
        self._project = project
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

    def publish(self, topic: str, messages: Iterable[Outgoing]) -> int:
        """Publish all messages; raise Misconfigured for a wrong topic or right, Retryable for a service in trouble."""
        path = self._client.topic_path(self._project, topic)
        futures = [self._publish(path, message) for message in messages]
        for future in futures:
            self._wait(future, topic)
        return len(futures)

    def _publish(self, path: str, message: Outgoing) -> Future[str]:
        trace = traceparent()
        given = {**({TRACEPARENT: trace} if trace else {}), **message.attributes}
        # The client takes attributes as keyword arguments; a stranger's attribute must not become one of its options.
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
        except (GoogleAPICallError, RetryError, TimeoutError) as error:
            raise Retryable(f"publishing to topic {topic!r} failed: {error}") from error
