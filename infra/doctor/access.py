"""The permissions of every identity of the mesh, from infra/access.yaml, which Terraform also uses."""

from collections.abc import Iterable, Iterator, Mapping
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict

from shared.feeds.definition import find_feed

# The folders of all feeds, and of all streams that go into BigQuery.
_FOLDERS = {"<feeds>": "FEEDS", "<streams>": "STREAMS_TO_BIGQUERY"}
# What the mesh does by each role; the roles themselves allow more.
PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "roles/bigquery.jobUser": ("bigquery.jobs.create",),
    "roles/monitoring.viewer": ("monitoring.timeSeries.list",),
    "roles/bigquery.dataViewer": ("bigquery.tables.get", "bigquery.tables.getData"),
    "roles/bigquery.dataEditor": ("bigquery.tables.get", "bigquery.tables.getData", "bigquery.tables.updateData"),
    "roles/storage.objectViewer": ("storage.objects.get", "storage.objects.list"),
    "roles/storage.objectCreator": ("storage.objects.create",),
    "roles/storage.objectUser": ("storage.objects.create", "storage.objects.delete", "storage.objects.get"),
    "roles/storage.legacyBucketReader": ("storage.buckets.get",),
    "roles/secretmanager.secretAccessor": ("secretmanager.versions.access",),
}
PUBLISH = ("pubsub.topics.publish",)
CONSUME = ("pubsub.subscriptions.consume",)


class Needs(BaseModel):
    """The needs of one identity: roles by resource; bucket roles hold below prefixes, "" for the whole bucket."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    project: tuple[str, ...] = ()
    dataset: tuple[str, ...] = ()
    bucket: Mapping[str, tuple[str, ...]] = {}
    topics: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    secops: tuple[str, ...] = ()

    def prefixes(self, role: str, feeds: tuple[str, ...]) -> Iterator[str]:
        """Yield the prefixes below which a bucket role holds."""
        for prefix in self.bucket.get(role, ()):
            if setting := _FOLDERS.get(prefix):
                yield from (f"{feed}/" for feed in feeds if find_feed(feed).setting == setting)
            else:
                yield prefix


class CustomRole(BaseModel):
    """A role that the mesh defines itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    permissions: tuple[str, ...]


class Access(BaseModel):
    """The APIs that are called, all identities, and the roles that the mesh defines itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    apis: tuple[str, ...]
    identities: Mapping[str, Needs]
    custom_roles: Mapping[str, CustomRole] = {}

    def permissions(self, roles: Iterable[str]) -> list[str]:
        """Return the permissions of roles that the mesh uses, each once and in order."""
        return sorted({one for role in roles for one in PERMISSIONS.get(role) or self.custom_roles[role].permissions})


def read_access() -> Access:
    """Return the identities of this distribution."""
    text = (resources.files("infra") / "access.yaml").read_text(encoding="utf-8")
    return Access.model_validate(yaml.safe_load(text))
