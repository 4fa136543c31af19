"""The source of a service's API key: a setting or Secret Manager."""

from shared.runtime.settings import VirusTotalSettings
from shared.virustotal.client import FixedKey, Key


def find_key(settings: VirusTotalSettings, project: str) -> Key:
    """Return the key that the settings name."""
    if settings.api_key.get_secret_value() or not settings.api_key_secret:
        return FixedKey(settings.api_key)
    # Importing Secret Manager's client takes half a second, and a key in a setting does not need it.
    from shared.gcp.secrets import SecretManagerKey, secret_version

    return SecretManagerKey(secret_version(project, settings.api_key_secret, settings.api_key_secret_version))
