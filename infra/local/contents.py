"""The contents of a state folder, recorded in it: the source and feeds of its minutes, and which command keeps it."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from infra.local.state import StateFolder
from shared.contracts.outcomes import Misconfigured
from shared.contracts.validation_errors import describe_errors


class Source(BaseModel):
    """The source of packages: a server at a base address, or (None) the simulator with a seed and lines per package."""

    model_config = ConfigDict(frozen=True)

    api_url: str | None = None
    seed: int | None = None
    lines: int | None = None

    def __str__(self) -> str:
        return self.api_url or f"the simulator with --seed {self.seed} --lines {self.lines}"

    @property
    def settings(self) -> str:
        """The settings that select this source again."""
        if self.api_url:
            return f"set VT_API_KEY, for {self.api_url}"
        return f"no VT_API_KEY, --seed {self.seed} --lines {self.lines}"


class Contents(BaseModel):
    """The contents of a folder; `kept` means that it belongs to `up`, not to a demo, which starts empty.

    streams are those that go into BigQuery.
    """

    model_config = ConfigDict(frozen=True)

    source: Source
    feeds: tuple[str, ...]
    streams: tuple[str, ...] = ()
    kept: bool

    def check(self, asked: "Contents", folder: Path, *, yes: bool = False) -> None:
        """Raise Misconfigured if a mesh with other contents must not use this folder.

        Minutes of two sources cannot be distinguished later; minutes of a removed feed are never fetched, which `yes`
        allows.
        """
        if asked.source != self.source:
            raise Misconfigured(
                f"{folder} holds minutes of {self.source}, and would continue with {asked.source}: they would be mixed;"
                f" go on as before ({self.source.settings}), or name another folder by --state,"
                " or empty this one by --fresh"
            )
        if not yes:
            _refuse_to_leave_out(folder, "FEEDS", self.feeds, asked.feeds)
            _refuse_to_leave_out(folder, "STREAMS_TO_BIGQUERY", self.streams, asked.streams)

    def write(self, folder: Path) -> None:
        """Write the file atomically."""
        file = StateFolder(folder).contents
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(self.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8")
        unfinished.replace(file)


def _refuse_to_leave_out(folder: Path, setting: str, held: Sequence[str], asked: Sequence[str]) -> None:
    if left_out := [name for name in held if name not in asked]:
        raise Misconfigured(
            f"{folder} holds {', '.join(held)}, and {setting} names {', '.join(asked) or 'none'}:"
            f" minutes of {', '.join(left_out)} would no longer be fetched;"
            f" go on as before ({setting}={','.join(held)}), or use --yes to leave them out"
        )


def read_contents(folder: Path) -> Contents | None:
    """Return a folder's contents, or None if they are not recorded."""
    file = StateFolder(folder).contents
    try:
        return Contents.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise Misconfigured(
            f"{file} cannot be read ({describe_errors(error)}), so the contents of {folder} are unknown;"
            " name another folder by --state, or delete this one"
        ) from None


def refuse_to_empty(folder: Path, *, only_demos: bool) -> None:
    """Raise Misconfigured if `up` keeps a mesh in a folder, or may do so; `only_demos` marks the demo's folder."""
    held = read_contents(folder)
    storage = StateFolder(folder).storage
    unknown = held is None and not only_demos and storage.is_dir() and any(storage.iterdir())
    if unknown or (held and held.kept):
        what = f"`gti-mesh up` keeps minutes of {held.source} in it" if held else "it does not say what it holds"
        raise Misconfigured(
            f"the demo would empty {folder}, and {what}; name another folder by --state, or use --yes to empty it"
        )
