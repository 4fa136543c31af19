"""The doctor's settings: those of the mesh, what the checks compare with, and VirusTotal's key if at hand."""

from pydantic import Field

from infra.topology import Topology, read_topology
from shared.runtime.setting_types import AsmProjects
from shared.runtime.settings import MeshSettings, VirusTotalSettings
from shared.virustotal.threat_lists import ListNames


class DoctorSettings(MeshSettings, VirusTotalSettings):
    """The settings of the project; Terraform's output `environment` has all of them.

    VirusTotal's key is read from its secret unless it is given here.
    """

    region: str = Field("", pattern=r"^([a-z]+-[a-z]+[0-9]+)?$", validation_alias="GCP_REGION")
    threat_lists: ListNames = Field((), validation_alias="THREAT_LISTS")
    asm_projects: AsmProjects = Field((), validation_alias="ASM_PROJECTS")
    merge_every_minutes: int = Field(30, ge=5, le=30, validation_alias="MERGE_EVERY_MINUTES")

    def topology(self) -> Topology:
        """Return the mesh as Terraform deploys it: with a merge every MERGE_EVERY_MINUTES."""
        declared, every = read_topology(), self.merge_every_minutes
        # As in infra/terraform/scheduler.tf.
        merges = {"cron": f"{','.join(map(str, range(5 % every, 60, every)))} * * * *"}
        schedules = {
            name: one.model_copy(update=merges) if one.service == "merger" else one
            for name, one in declared.schedules.items()
        }
        return declared.model_copy(update={"schedules": schedules})
