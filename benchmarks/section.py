"""Write figures into a page, between two marks."""

from collections.abc import Iterable
from pathlib import Path


def marks(name: str) -> tuple[str, str]:
    """Return the marks around a section of a page."""
    return f"<!-- {name} -->", f"<!-- /{name} -->"


def read_section(page: Path, name: str) -> list[str]:
    """Return the lines between the marks."""
    begin, end = marks(name)
    _, found, rest = page.read_text(encoding="utf-8").partition(begin)
    inside, closed, _ = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{page} has no {begin} ... {end}")
    return inside.strip("\n").split("\n")


def write_section(page: Path, name: str, lines: Iterable[str]) -> None:
    """Put lines between the marks, in place of those that are there."""
    begin, end = marks(name)
    read_section(page, name)
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    text = "\n".join(lines)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
