"""The container's limit is read from the kernel's control groups."""

from pathlib import Path

import pytest

from services.downloader.memory import container_limit, spool_bytes

DECLARED = 2**30


def groups(root: Path, own: str, **limits: str) -> tuple[Path, Path]:
    """Write /proc/self/cgroup and files of control groups, whose names have __ for /."""
    for name, text in limits.items():
        file = root / name.replace("__", "/").replace("_max", ".max").replace("limit_in", ".limit_in")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (root / "own").write_text(own)
    return root, root / "own"


@pytest.mark.parametrize(
    ("own", "limits", "limit"),
    [
        ("", {}, DECLARED),
        ("0::/\n", {"memory_max": "536870912\n"}, 2**29),
        ("0::/\n", {"memory_max": "max\n"}, DECLARED),
        ("0::/\n", {"memory_max": "9999999999999\n"}, DECLARED),
        ("0::/a/b\n", {"a__b__memory_max": "max\n", "a__memory_max": "1000000\n"}, 1_000_000),
        ("0::/not/visible/here\n", {"memory_max": "2000000\n"}, 2_000_000),
        ("5:cpu:/\n4:memory:/docker/x\n", {"memory__memorylimit_in_bytes": "3000000\n"}, 3_000_000),
        ("4:memory:/x\n", {"memory__x__memorylimit_in_bytes": "9223372036854771712\n"}, DECLARED),
        ("4:cpu,memory:/x\n0::/\n", {"memory__x__memorylimit_in_bytes": "4000000\n"}, 4_000_000),
    ],
)
def test_the_smallest_limit_counts(tmp_path: Path, own: str, limits: dict[str, str], limit: int) -> None:
    """The declared limit and those of control groups of either version, including parents, count."""
    assert container_limit(DECLARED, *groups(tmp_path, own, **limits)) == limit


def test_there_is_always_a_limit() -> None:
    """This machine has a limit as well."""
    assert 0 < container_limit(DECLARED) <= DECLARED
    assert 0 < spool_bytes(DECLARED) < DECLARED // 2
