"""`gti-mesh up` passes the caller's settings to the services."""

from gti_mesh.service_settings import passed_on


def test_every_setting_of_every_service_is_handed_on() -> None:
    """A service's settings are passed on, for every service, under each of their names."""
    deadlines = {f"{work}_DEADLINE_SECONDS" for work in ("DOWNLOAD", "LOAD", "MERGE", "POLL")}
    others = {"PLAN_BACK", "PAGE_SECONDS", "FEEDS", "VT_API_KEY", "NAMESPACE", "HISTORY_EXPIRY_DAYS"}
    assert deadlines | others <= passed_on()


def test_what_the_local_mesh_sets_itself_is_not_handed_on() -> None:
    """Project, bucket and dataset of a cloud, and the name of a secret, are never passed to a local mesh."""
    assert not {"GCP_PROJECT", "LANDING_BUCKET", "BQ_DATASET", "VT_API_KEY_SECRET", "LOG_FORMAT"} & passed_on()
