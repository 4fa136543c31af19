"""The three outcomes of a message: return (ack), raise (redeliver, then dead-letter), Poison (recorded, then acked)."""


class MeshError(Exception):
    """Something this project names; the text says what, which value, and what to do."""


class Poison(MeshError):
    """The message can never succeed; its reason goes to the dead-letter topic and the message is acked."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Retryable(MeshError):
    """The source or the cloud is in a bad state; Pub/Sub delivers the message again with backoff."""


class Misconfigured(MeshError):
    """A setting, a credential or a resource is wrong; an operator has to act before anything can succeed."""
