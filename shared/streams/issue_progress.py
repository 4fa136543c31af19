"""How far the issues of each project are read, and which version of each is in the log.

Both are derived: without the progress everything is read again, without the versions the log is.
"""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

# A version's digest, and the last sweep that met the issue.
Met = tuple[str, int]


class ProjectProgress(BaseModel):
    """How far one project is read: what was last seen before `read` is in the log, unless it is shown late or triaged.

    A sweep reads everything up to `read` again. The last one began at swept_at; while it is in progress, reached is how
    far it has come. ahead is the end of the window that a poll had no time to read, so that no window is halved twice.
    """

    model_config = ConfigDict(frozen=True)

    read: AwareDatetime
    swept_at: AwareDatetime
    reached: AwareDatetime | None = None
    ahead: AwareDatetime | None = None


def versions_name(stream: str) -> str:
    """Return the name of the object with a stream's versions."""
    return f"state/streams/versions/{stream}.json"


class Versions(BaseModel):
    """The last version of every issue in the log up to page `sequence`, by its identity `<id> <project>`.

    sweeps is the number of completed sweeps of each project.
    """

    model_config = ConfigDict(frozen=True)

    sequence: int = 0
    sweeps: dict[str, int] = Field(default_factory=dict)
    versions: dict[str, Met] = Field(default_factory=dict)
