"""The container's memory limit, and the share of it for packages being downloaded."""

from pathlib import Path

# The rest is for the process itself, and per package for a decoder, the largest line, and the upload queue.
# docs/scale.md adds it up.
_SPOOLS_PART = 5
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def spool_bytes(limit: int) -> int:
    """Return how many bytes of undecoded packages may be held, for a container with this much memory."""
    return limit // _SPOOLS_PART


def container_limit(declared: int, cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> int:
    """Return the container's memory limit in bytes: the declared one, or a smaller control group limit.

    Both versions of control groups are read (kernel.org: admin-guide/cgroup-v2, cgroup-v1/memory), and those of all
    parents, which hold as well. A container may see its own as the root.
    """
    return min([declared, *_limits(cgroups, own)])


def _limits(cgroups: Path, own: Path) -> list[int]:
    groups = own.read_text().splitlines() if own.is_file() else []
    files = []
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            files += _upwards(cgroups, path, "memory.max")
        elif "memory" in controllers.split(","):
            files += _upwards(cgroups / "memory", path, "memory.limit_in_bytes")
    texts = [file.read_text().strip() for file in files if file.is_file()]
    # "max" means no limit.
    return [int(text) for text in texts if text.isdecimal()]


def _upwards(root: Path, path: str, name: str) -> list[Path]:
    group = root / path.lstrip("/")
    return [folder / name for folder in (group, *group.parents) if folder.is_relative_to(root)]
