"""The bucket of a forwarder without Pub/Sub: a local folder, or a bucket of Cloud Storage that no mesh uses.

A mark in the bucket tells the commands that there is no Pub/Sub. On a mesh's own bucket two forwarders would share one
log: the leases keep their deliveries apart, but dead letters would be in two places. So that has to be asked for.
"""

import os
from pathlib import Path

from services.secops_forwarder.folder_bucket import FolderBucket
from services.secops_forwarder.settings import SecOpsSettings
from shared.contracts.interfaces import Bucket
from shared.contracts.outcomes import Misconfigured

MARK = "state/standalone.json"
_PLANNER = "state/planner/"
_USED_BY_A_MESH = ("state/", "streams/")


def without_bucket() -> None:
    """Satisfy the setting for the bucket where a folder takes its place."""
    os.environ.setdefault("LANDING_BUCKET", "none")


def standalone_bucket(settings: SecOpsSettings, folder: Path | None, *, with_mesh: bool) -> Bucket:
    """Return the folder, or the landing bucket; raise Misconfigured if a mesh uses it, unless that is asked for."""
    if folder:
        return FolderBucket(folder)
    # Without a bucket, Cloud Storage's client is not imported.
    from shared.gcp.storage import landing_bucket

    bucket = landing_bucket(settings)
    if not with_mesh:
        claim(bucket)
    return bucket


def claim(bucket: Bucket) -> None:
    """Mark an unused bucket as one without Pub/Sub; raise Misconfigured if something else uses it."""
    if is_standalone(bucket):
        return
    if any(_has(bucket, prefix) for prefix in _USED_BY_A_MESH):
        raise Misconfigured(
            f"{bucket.uri('')} is the bucket of a mesh: set LANDING_BUCKET to a bucket of its own, name a --folder, "
            "or add --with-mesh to forward in addition to the mesh's services"
        )
    bucket.create(MARK, b'{"without": "Pub/Sub"}')


def is_standalone(bucket: Bucket) -> bool:
    """Return whether a bucket was forwarded from without Pub/Sub, and no mesh has begun to plan in it since."""
    return bucket.read(MARK) is not None and not _has(bucket, _PLANNER)


def _has(bucket: Bucket, prefix: str) -> bool:
    return any(True for _ in bucket.listed(prefix, prefix))
