"""A fake project of Google Cloud, in which new resources become visible as late as in a real one.

It stores what the provider makes, refuses what Google documents as refused, and answers as Google does. The methods at
the end are what people do with gcloud.
"""

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from tests.terraform.clock import Clock

Values = dict[str, Any]

LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
SERVICE = "google_cloud_run_v2_service"
# BigQuery answers with these names, whichever it was given.
_BASIC_ROLES = {"roles/bigquery.dataViewer": "READER", "roles/bigquery.dataEditor": "WRITER"}
# The provider takes these as made when they are there already; of everything else there is one.
_SHARED = ("google_project_service", "google_project_service_identity")


class RefusedByGoogleError(Exception):
    """The cloud's refusal of a call."""


@dataclass
class Thing:
    """A resource: its creation time and its contents."""

    values: Values
    made_at: float
    contents: list[str] = field(default_factory=list)


class Cloud:
    """A project with only the APIs enabled that docs/deploy.md enables first, and no image yet."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.things: dict[tuple[str, str], Thing] = {}
        # What was done: `create`, `update` or `delete`, the type and the id.
        self.journal: list[tuple[str, str, str]] = []
        self.images: set[str] = set()
        # What a terminal pushes while Terraform runs in it.
        self.pushing: Callable[[], Iterable[str]] = tuple
        self.policies: set[str] = set()
        self.lock = RLock()
        for api in ("cloudresourcemanager", "serviceusage"):
            self.switch_on(f"{api}.googleapis.com")

    def copied(self) -> "Cloud":
        """Return a copy of the project with an empty journal."""
        made = Cloud()
        made.clock.now = self.clock.now
        made.things = copy.deepcopy(self.things)
        made.images, made.policies = set(self.images), set(self.policies)
        return made

    def create(self, kind: str, name: str, values: Values) -> Values:
        """Create a resource; raise RefusedByGoogleError if its name is taken."""
        there = self.things.get((kind, name))
        if there and kind not in _SHARED and "_iam_" not in kind:
            raise RefusedByGoogleError(f"Error 409: {name} already exists")
        made = self._normal(kind, values)
        self.things[kind, name] = Thing(made, there.made_at if there else self.clock.now)
        self.journal.append(("create", kind, name))
        return made

    def read(self, kind: str, name: str) -> Values | None:
        """Return a resource's present state, or None."""
        thing = self.things.get((kind, name))
        return None if thing is None else thing.values

    def update(self, kind: str, name: str, values: Values) -> Values:
        """Change a resource; raise RefusedByGoogleError if it does not exist."""
        if (kind, name) not in self.things:
            raise RefusedByGoogleError(f"Error 404: {name} was not found")
        thing = self.things[kind, name]
        thing.values = self._normal(kind, values, thing.values)
        self.journal.append(("update", kind, name))
        return thing.values

    def delete(self, kind: str, name: str) -> None:
        """Delete a resource; raise RefusedByGoogleError if it is not empty."""
        thing = self.things[kind, name]
        if thing.contents:
            raise RefusedByGoogleError(f"Error 409: {name} is not empty: {', '.join(thing.contents)}")
        if kind not in _SHARED:
            # An API stays on, and an agent cannot be deleted.
            del self.things[kind, name]
        self.journal.append(("delete", kind, name))

    def of(self, kind: str) -> Iterator[tuple[str, Thing]]:
        """Yield everything of one type, with its id."""
        for (each, name), thing in list(self.things.items()):
            if each == kind:
                yield name, thing

    def one(self, kind: str, end: str = "") -> Thing:
        """Return the one resource of a type whose id has this ending."""
        (thing,) = (thing for name, thing in self.of(kind) if name.endswith(end))
        return thing

    def _normal(self, kind: str, values: Values, before: Values | None = None) -> Values:
        """Return the API's representation of the given values."""
        made = copy.deepcopy(values)
        if kind == SERVICE:
            made["traffic"] = made["traffic"] or (before or {}).get("traffic") or [traffic(LATEST, None, 100)]
        if kind == "google_monitoring_dashboard":
            made["dashboard_json"] = json.dumps(_without_zero_positions(json.loads(made["dashboard_json"])))
        if kind == "google_bigquery_dataset":
            for one in made["access"]:
                one["role"] = _BASIC_ROLES.get(one["role"], one["role"])
        return made

    # What people do.

    def switch_on(self, api: str) -> None:
        """`gcloud services enable`, some time ago."""
        self.things["google_project_service", f"my-project/{api}"] = Thing({"service": api}, float("-inf"))

    def push(self, image: str) -> None:
        """`docker push`."""
        self.images.add(image)

    def has_image(self, image: str) -> bool:
        """Return whether a service can be started from an image: it was pushed, and its repository is there."""
        host, project, repository, *_ = image.split("/")
        region = host.removesuffix("-docker.pkg.dev")
        name = f"projects/{project}/locations/{region}/repositories/{repository}"
        pushed = image in self.images or image in self.pushing()
        return pushed and ("google_artifact_registry_repository", name) in self.things

    def delete_subscriptions(self, names: Iterable[str]) -> None:
        """`gcloud pubsub subscriptions delete`."""
        for name in names:
            self.delete("google_pubsub_subscription", f"projects/my-project/subscriptions/{name}")

    def update_traffic(self, service: str, revision: str) -> None:
        """`gcloud run services update-traffic --to-revisions`."""
        self.one(SERVICE, f"/{service}").values["traffic"] = [
            traffic("TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", revision, 100)
        ]

    def serving(self) -> Mapping[str, str]:
        """Return the image that serves requests, by service: of the latest revision, or else the revision's name."""
        found = {}
        for _, thing in self.of(SERVICE):
            (share,) = thing.values["traffic"]
            image = thing.values["template"][0]["containers"][0]["image"]
            found[thing.values["name"]] = image if share["type"] == LATEST else share["revision"]
        return found


def traffic(kind: str, revision: str | None, percent: int) -> Values:
    """Return one share of a service's traffic."""
    return {"type": kind, "revision": revision, "percent": percent, "tag": None}


def _without_zero_positions(board: Values) -> Values:
    for tile in board.get("mosaicLayout", {}).get("tiles", ()):
        for name in ("xPos", "yPos"):
            if tile.get(name) == 0:
                del tile[name]
    return board
