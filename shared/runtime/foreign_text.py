"""Text from outside is printed literally: never as control characters or markup.

Reasons, ids, names and responses come from outside. Everything that prints them uses `visible`: in `say`
(gti_mesh.printing), in `line` (shared.runtime.terminal) for what rich prints, and in logs for a terminal. The status
page has a counterpart in JavaScript.
"""


def visible(text: str) -> str:
    """Return a text with unprintable characters escaped, so that it cannot move the cursor or reverse the line."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)
