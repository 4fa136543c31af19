"""`gti-mesh gaps`: the missing minutes, and the command that repairs each range."""

from gti_mesh.parameters import AsJson, State, print_json
from gti_mesh.printing import say
from shared.contracts.minutes import utc_now


def gaps(state: State = None, as_json: AsJson = False) -> None:
    """List the minutes that are missing, never loaded, never merged or dead, as ranges with a repair command."""
    from infra.find_mesh import find_mesh
    from shared.operations.feed_status import read_feeds
    from shared.operations.gaps import describe
    from shared.operations.problems import command_on

    mesh = find_mesh(state)
    found = [gap for feed in read_feeds(mesh, utc_now()) for gap in feed.gaps]
    if as_json:
        print_json([gap.report() | {"remedy": command_on(gap.remedy, mesh.state)} for gap in found])
        return
    for gap in found:
        say(describe(gap), f"    {command_on(gap.remedy, mesh.state)}" if gap.remedy else "    nothing brings it back")
    say(f"{len(found)} gaps" if found else "no gaps")
