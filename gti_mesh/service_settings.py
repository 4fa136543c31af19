"""The environment variables that a local mesh takes from its caller, derived from the settings models."""

from collections.abc import Iterator
from importlib import import_module

from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from infra.topology import read_topology
from shared.runtime.settings import MeshSettings
from shared.warehouse.settings import WarehouseSettings

# The local mesh has its own project, bucket, dataset, emulators and topology, and no Secret Manager.
_PASSED_ON = {"package_feeds", "streams_to_bigquery", "threat_lists_lag_minutes"}
_LOCAL_MESH_SETS = {"max_delivery_attempts", *(MeshSettings.model_fields.keys() - _PASSED_ON)}
_CLOUD_ONLY = {"api_key_secret", "api_key_secret_version"}


def passed_on() -> frozenset[str]:
    """Return every environment variable that a service reads, except those that the local mesh sets itself."""
    return frozenset(name for model in _models() for name in _variables(model))


def _models() -> Iterator[type[BaseSettings]]:
    """Yield the settings of every service in the topology, from `settings.py` next to its source."""
    yield WarehouseSettings
    for folder in {service.source.rpartition("/")[0] for service in read_topology().services.values()}:
        module = import_module(f"{folder.replace('/', '.')}.settings")
        yield from (
            model for model in vars(module).values() if isinstance(model, type) and issubclass(model, MeshSettings)
        )


def _variables(model: type[BaseSettings]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if name in _LOCAL_MESH_SETS | _CLOUD_ONLY:
            continue
        match field.validation_alias:
            case AliasChoices(choices=choices):
                yield from (str(choice) for choice in choices)
            case str(alias):
                yield alias
