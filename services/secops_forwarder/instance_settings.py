"""Settings of the SecOps instance; without a customer ID the forwarder is off."""

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, AliasChoices, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings

from shared.contracts.validation_errors import HIDDEN
from shared.runtime.setting_types import HostUrl, ProjectIdOrNumber, SecOpsRegion, customer_id_problem
from shared.runtime.settings import MeshSettings


def _guid(text: str) -> str:
    if text and not re.fullmatch(r"[0-9a-fA-F-]+", text, re.ASCII):
        raise ValueError("not a GUID; it has only hexadecimal digits and dashes")
    return text


Guid = Annotated[str, AfterValidator(_guid)]


class InstanceSettings(BaseSettings):
    """Where the instance is, and which one it is."""

    model_config = MeshSettings.model_config

    # A service without an instance is off; a command that forwards is not.
    needs_instance: ClassVar[bool] = False

    region: SecOpsRegion = Field("us", validation_alias="CHRONICLE_REGION")
    host: HostUrl = Field("https://{region}-chronicle.googleapis.com", validation_alias="CHRONICLE_HOST")
    api_host: HostUrl = Field("", validation_alias="SECOPS_API_URL")
    api_version: str = Field("v1beta", pattern=r"^v[0-9a-z]+$", validation_alias="CHRONICLE_API_VERSION")
    chronicle_project: ProjectIdOrNumber = Field(
        "", validation_alias=AliasChoices("CHRONICLE_PROJECT", "CHRONICLE_PROJECT_NUMBER", "CHRONICLE_PROJECT_ID")
    )
    forwarder_id: Guid = Field("", validation_alias="CHRONICLE_FORWARDER_ID")
    # Behind the hosts, because its check depends on them.
    customer_id: Guid = Field("", validation_alias="CHRONICLE_CUSTOMER_ID")

    @field_validator("customer_id")
    @classmethod
    def _customer_id_can_be(cls, text: str, info: ValidationInfo) -> str:
        if not text and cls.needs_instance:
            raise PydanticCustomError(
                HIDDEN, "no SecOps instance is configured: set CHRONICLE_CUSTOMER_ID to the SecOps customer id"
            )
        # A local simulator accepts any.
        local = (info.data.get("api_host") or info.data.get("host", "")).startswith("http://")
        if text and not local and (problem := customer_id_problem(text)):
            raise ValueError(problem)
        return text

    @property
    def on(self) -> bool:
        """Whether an instance is configured."""
        return bool(self.customer_id)
