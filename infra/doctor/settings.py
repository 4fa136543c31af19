"""The doctor's settings: those of the mesh, the region, threat lists, ASM projects, and VirusTotal's key if at hand."""

from pydantic import Field

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
