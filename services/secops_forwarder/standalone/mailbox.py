"""The dead letters of a folder or a bucket without Pub/Sub, as the commands handle them."""

from collections.abc import Callable, Sequence
from functools import cached_property

from services.secops_forwarder.standalone.letters import DeadLetterFolder
from services.secops_forwarder.standalone.publisher import InProcessPublisher
from services.secops_forwarder.standalone.run import DeliverySettings, in_process, report_dead
from shared.contracts.interfaces import Bucket
from shared.contracts.messages import IocPageLanded
from shared.contracts.minutes import utc_now
from shared.operations.dead_letters import DeadLetter
from shared.runtime.settings import read_settings


class StandaloneMailbox:
    """What shared.operations.dead_letter_mailbox.Mailbox is for a mesh; a redrive delivers at once."""

    def __init__(self, bucket: Bucket, say: Callable[[str], None]) -> None:
        self._bucket = bucket
        self._folder = DeadLetterFolder(bucket)
        self._say = say
        self.letters = self._folder.open()

    @cached_property
    def _publisher(self) -> InProcessPublisher:
        # Listing and discarding need no SecOps instance.
        return in_process(read_settings(DeliverySettings), self._bucket)

    def redrive(self, letters: Sequence[DeadLetter]) -> int:
        """Deliver the pages of letters; return how many succeeded.

        A letter whose page is given up again stays open, and so do all letters after an exception.
        """
        return sum([self._redrive(letter) for letter in letters])

    def _redrive(self, letter: DeadLetter) -> bool:
        page = IocPageLanded.model_validate_json(letter.message)
        delivered = self._publisher.hand_over(page, letter.redriven + 1)
        if delivered:
            self._folder.close(letter, "redriven", utc_now())
        report_dead(self._publisher, self._say)
        return delivered

    def discard(self, letters: Sequence[DeadLetter]) -> int:
        """Record that letters need no further action; return their number."""
        for letter in letters:
            self._folder.close(letter, "discarded", utc_now())
        return len(letters)
