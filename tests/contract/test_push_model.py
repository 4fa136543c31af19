"""The simulated push subscription takes as long, and is refused as often, as the embedded server's."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Semaphore
from time import monotonic

import pytest
import simpy
from google.pubsub_v1.types import PushConfig, RetryPolicy

from benchmarks.push_model import Message, Pace, Retry, Running, Service, Subscription
from tests.contract.pubsub_servers import PubSub, serving, start
from tests.support.pubsub import receiver
from tests.support.waiting import wait_until

MESSAGES = 100
# infra/local/process_specs.py gives the embedded server these.
PACE = Pace(first_window=8, max_window=8, max_rest=1.0)
RETRY = Retry(least=0.2, most=1.0)


@dataclass(frozen=True)
class Outcome:
    """The time that a backlog took, and the number of refused pushes."""

    seconds: float
    refused: int


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PubSub]:
    """Run the embedded server."""
    folder: Path = tmp_path_factory.mktemp("model")
    part, ports = start("embedded", folder)
    with serving(part, folder, ports) as found:
        yield found


def measured(server: PubSub, places: int, seconds: float) -> Outcome:
    """Push a backlog to an endpoint that handles a number of requests at once and answers 429 to the rest."""
    free, done, refused = Semaphore(places), set[str](), list[str]()
    never = Event()

    def status(text: str) -> int:
        if not free.acquire(blocking=False):
            refused.append(text)
            return 429
        try:
            never.wait(seconds)
        finally:
            free.release()
        done.add(text)
        return 204

    topic = server.topic()
    retry = RetryPolicy(minimum_backoff={"nanos": int(RETRY.least * 1e9)}, maximum_backoff={"seconds": int(RETRY.most)})
    subscription = server.subscribe(topic, ack_deadline_seconds=60, retry_policy=retry)
    server.publish(topic, *(str(number) for number in range(MESSAGES)))
    with receiver(status) as endpoint:
        began = monotonic()
        push = PushConfig(push_endpoint=endpoint.url)
        server.subscriber.modify_push_config(subscription=subscription, push_config=push, timeout=10)
        wait_until(lambda: len(done) == MESSAGES, 60, "every message")
        taken = monotonic() - began
        server.subscriber.delete_subscription(subscription=subscription, timeout=10)
    return Outcome(taken, len(refused))


def simulated(places: int, seconds: float) -> Outcome:
    """Do the same in the model."""
    env = simpy.Environment()
    service = Service(instances=1, concurrency=places, queue_seconds=0.0, fixed_seconds=seconds)
    subscription = Subscription(env, Running(env, service), PACE, RETRY)
    messages = [Message(str(number), 0.0) for number in range(MESSAGES)]
    for message in messages:
        subscription.publish(message)
    env.run()
    return Outcome(max(message.done or float("inf") for message in messages), subscription.nacks)


def test_the_model_and_the_server_agree(server: PubSub) -> None:
    """Model and server agree with room for every push, for half, and for a quarter, with rests and backoff."""
    cases = [(8, 0.05), (4, 0.04), (2, 0.02)]
    with ThreadPoolExecutor(len(cases)) as pool:
        reals = list(pool.map(lambda case: measured(server, *case), cases))
    for case, real in zip(cases, reals, strict=True):
        model = simulated(*case)
        print(f"{case}: simulated {model}, measured {real}")  # noqa: T201 the figures of docs/scale.md
        # A machine with other work to do adds milliseconds to every push, which the model does not know.
        assert 0.65 * model.seconds - 1.5 < real.seconds < 2 * model.seconds + 1.5
        assert real.refused == pytest.approx(model.refused, rel=0.5, abs=10)
