"""What the bucket keeps of dead letters that were redriven or discarded."""

import hashlib
import re

from shared.messages import dead_letter_topic

HANDLED = "dead"
# Pub/Sub's own ids are numbers.
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


def handled_name(topic: str, letter: str) -> str:
    """Return the object that says that a letter was redriven or discarded."""
    return f"{HANDLED}/{dead_letter_topic(topic)}/{handled_stem(letter)}.json"


def handled_stem(letter: str) -> str:
    """Return what the object of a letter is called; an id that could lead elsewhere, or is too long, is not repeated.

    An id is what a message says of itself, and anybody who may publish can have it say anything.
    """
    return letter if PLAIN.fullmatch(letter) else f"sha256-{hashlib.sha256(letter.encode()).hexdigest()}"
