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
from tests.support.waiting import PATIENCE, wait_until

MESSAGES = 100
# infra/local/process_specs.py gives the embedded server these.
PACE = Pace(first_window=8, max_window=8, max_rest=1.0)
RETRY = Retry(least=0.2, most=1.0)
# The requests that an endpoint handles at once, and the seconds of each.
CASES = [(8, 0.05), (4, 0.04), (2, 0.02)]


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
        server.subscriber.modify_push_config(subscription=subscription, push_config=push, timeout=PATIENCE)
        wait_until(lambda: len(done) == MESSAGES, "every message")
        taken = monotonic() - began
        server.subscriber.delete_subscription(subscription=subscription, timeout=PATIENCE)
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


def agree(server: PubSub) -> bool:
    """Measure once, and return whether the model says the same."""
    with ThreadPoolExecutor(len(CASES)) as pool:
        reals = list(pool.map(lambda case: measured(server, *case), CASES))
    models = [simulated(*case) for case in CASES]
    for case, model, real in zip(CASES, models, reals, strict=True):
        print(f"{case}: simulated {model}, measured {real}")  # noqa: T201 the figures of docs/scale.md
    return all(
        0.65 * model.seconds - 1.5 < real.seconds < 2 * model.seconds + 1.5
        and real.refused == pytest.approx(model.refused, rel=0.5, abs=10)
        for model, real in zip(models, reals, strict=True)
    )


def test_the_model_and_the_server_agree(server: PubSub) -> None:
    """Model and server agree with room for every push, for half, and for a quarter, with rests and backoff."""
    # Other work of the machine adds to every push, which the model does not know: one quiet moment has to come.
    wait_until(lambda: agree(server), "the model and the server to agree")
