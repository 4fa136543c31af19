"""The project that is examined: names of its resources, and access to its APIs."""

from collections.abc import Callable
from dataclasses import dataclass

from infra.doctor.google_rest import GoogleRest
from infra.topology import Topology
from shared.streams.definition import look_up


@dataclass(frozen=True)
class Project:
    """A project with a mesh: `prefix` precedes the names of services, topics, subscriptions and schedules."""

    id: str
    region: str
    prefix: str
    bucket: str
    dataset: str
    secret: str
    feeds: tuple[str, ...]
    topology: Topology
    google: GoogleRest
    access_as: Callable[[str], GoogleRest]

    def named(self, name: str) -> str:
        """Return the name that a part of the topology has in this project."""
        return f"{self.prefix}{name}"

    def service_address(self, name: str) -> str:
        """Return the address of a service's description in the Cloud Run API."""
        return f"run.googleapis.com/v2/projects/{self.id}/locations/{self.region}/services/{self.named(name)}"

    def job_address(self, name: str) -> str:
        """Return the address of a schedule in the Cloud Scheduler API."""
        return f"cloudscheduler.googleapis.com/v1/projects/{self.id}/locations/{self.region}/jobs/{self.named(name)}"

    def subscription_address(self, name: str) -> str:
        """Return the address of a subscription in the Pub/Sub API."""
        return f"pubsub.googleapis.com/v1/projects/{self.id}/subscriptions/{self.named(name)}"

    def topic_address(self, name: str) -> str:
        """Return the address of a topic in the Pub/Sub API."""
        return f"pubsub.googleapis.com/v1/projects/{self.id}/topics/{self.named(name)}"

    def uri(self, service: str) -> str:
        """Return the address at which a service is called."""
        return str(self.google.get(self.service_address(service))["uri"])

    def account(self, service: str) -> str:
        """Return the e-mail of a service's service account."""
        return str(look_up(self.google.get(self.service_address(service)), "template.serviceAccount"))

    def pubsub_agent(self) -> str:
        """Return the member that is Pub/Sub's service agent in this project."""
        number = self.google.get(f"cloudresourcemanager.googleapis.com/v3/projects/{self.id}")["name"]
        return f"serviceAccount:service-{str(number).rpartition('/')[2]}@gcp-sa-pubsub.iam.gserviceaccount.com"
