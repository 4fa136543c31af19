"""The methods of Google's clients that go over the network."""

import inspect
from functools import cache

from google.cloud import bigquery
from google.cloud.monitoring_v3 import MetricServiceClient
from google.cloud.pubsub_v1.publisher.client import Client as PublisherClient
from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.storage.blob import Blob
from google.cloud.storage.bucket import Bucket
from google.cloud.storage.client import Client as StorageClient

_CLIENTS: tuple[type, ...] = (
    bigquery.Client,
    bigquery.LoadJob,
    Blob,
    Bucket,
    StorageClient,
    PublisherClient,
    SubscriberClient,
    MetricServiceClient,
    SecretManagerServiceClient,
)
# Dictionaries, futures and our own ports have methods of these names; what is published is found by its topic.
_COMMON = {"cancel", "create", "done", "exception", "publish", "update"}


@cache
def google_methods() -> frozenset[str]:
    """Return the names of the clients' methods that go over the network: those that can be given a timeout."""
    found = {
        name
        for client in _CLIENTS
        for name, method in inspect.getmembers(client, callable)
        if not name.startswith("_") and "timeout" in inspect.signature(method).parameters
    }
    return frozenset(found - _COMMON)
