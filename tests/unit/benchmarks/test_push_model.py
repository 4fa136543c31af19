"""The simulated push subscription behaves as documented, in simulated time."""

import pytest
import simpy

from benchmarks.push_model import Message, Pace, Retry, Running, Service, Subscription

USUAL, PATIENT = Pace(), Retry()


def run(
    service: Service, count: int, *, pace: Pace = USUAL, retry: Retry = PATIENT, until: float | None = None
) -> tuple[list[Message], Subscription]:
    """Push a backlog to a service and return the result."""
    env = simpy.Environment()
    subscription = Subscription(env, Running(env, service), pace, retry)
    messages = [Message(str(number), 0.0) for number in range(count)]
    for message in messages:
        subscription.publish(message)
    env.run(until=until)
    return messages, subscription


def test_a_backlog_takes_its_work_divided_by_the_places() -> None:
    """Instances start once, and each handles as many requests at a time as its concurrency."""
    messages, subscription = run(
        Service(instances=2, concurrency=3, start_seconds=5.0, fixed_seconds=2.0), 60, pace=Pace(6, 6)
    )
    assert max(message.done or 0 for message in messages) == 5.0 + 60 / 6 * 2.0
    assert subscription.nacks == 0


def test_the_window_opens_with_every_acknowledgement() -> None:
    """The first round has the size of the window; later rounds double."""
    messages, _ = run(Service(instances=1, concurrency=100, fixed_seconds=1.0), 35, pace=Pace(first_window=5))
    ends = sorted(message.done or 0 for message in messages)
    assert [ends.count(float(second)) for second in (1, 2, 3)] == [5, 10, 20]


def test_who_waits_longer_than_the_queue_is_refused_and_comes_again() -> None:
    """After the maximum time in the queue a request gets a 429, and its message backs off by the retry policy."""
    service = Service(instances=1, concurrency=1, queue_seconds=10.0, fixed_seconds=25.0)
    messages, subscription = run(service, 2, retry=Retry(least=20.0, most=600.0))
    assert [message.done for message in messages] == [25.0, 55.0]
    assert (subscription.nacks, messages[1].attempts) == (1, 2)


def test_work_of_one_instance_shares_its_processor() -> None:
    """Two packages at once take as long as one after another, and end at the same time."""
    env = simpy.Environment()
    running = Running(env, Service(instances=1, concurrency=2, megabytes_a_second=10.0, quantum=10.0))
    subscription = Subscription(env, running)
    messages = [Message(name, 50.0) for name in "ab"]
    for message in messages:
        subscription.publish(message)
    env.run()
    assert [message.done for message in messages] == [9.0, 10.0]


def test_refusals_double_the_rest_of_the_whole_subscription() -> None:
    """The pause doubles up to its maximum; concurrent refusals count once."""
    _, subscription = run(
        Service(instances=1, concurrency=1, queue_seconds=0.0, fixed_seconds=1000.0),
        9,
        pace=Pace(first_window=9, min_rest=0.1, max_rest=0.4),
        retry=Retry(least=0.0, most=0.0),
        until=0.75,
    )
    # Eight at 0, 0.1, 0.3 and 0.7: rests of 0.1, 0.2, 0.4.
    assert subscription.nacks == 4 * 8


def test_a_message_is_given_up_after_its_attempts() -> None:
    """A message is given up after exactly its maximum of attempts."""
    env = simpy.Environment()
    running = Running(env, Service(instances=1, concurrency=1, queue_seconds=0.0, fixed_seconds=10_000.0))
    subscription = Subscription(env, running, retry=Retry(least=10.0, most=10.0, attempts=5))
    busy, poor = Message("busy", 0.0), Message("poor", 0.0)
    for message in (busy, poor):
        subscription.publish(message)
    env.run()
    assert (poor.attempts, poor.dead, poor.done) == (5, True, None)
    assert busy.done == 10_000.0


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 10), (2, 20), (4, 80), (7, 600), (100, 600)])
def test_backoff_doubles_up_to_its_most(attempt: int, seconds: float) -> None:
    """The backoff follows the topology's retry policy."""
    assert Retry().backoff(attempt) == seconds


def test_what_the_source_has_forgotten_costs_nothing() -> None:
    """A minute past its horizon is finished at once."""
    env = simpy.Environment()
    subscription = Subscription(env, Running(env, Service(1, 1, start_seconds=5.0, fixed_seconds=50.0)))
    subscription.publish(late := Message("late", 0.0, expires=4.0))
    env.run()
    assert (late.expired, late.done) == (True, 5.0)
