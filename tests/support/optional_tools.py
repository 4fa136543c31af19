"""What some tests need in addition to Python, and the summary of the tests that were skipped without it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class OptionalTool:
    """A tool that not every machine has."""

    what: str
    how: str

    @property
    def reason(self) -> str:
        """The reason for skipping a test without it."""
        return f"needs {self.what}"


EMULATOR = OptionalTool(
    "Java and Google's Pub/Sub emulator",
    "install default-jre-headless, and google-cloud-cli-pubsub-emulator from Google's packages for Debian or with"
    " `gcloud components install pubsub-emulator`",
)
TERRAFORM = OptionalTool("terraform", "install it as developer.hashicorp.com/terraform/install says")
GCLOUD = OptionalTool("the Google Cloud CLI", "install it as cloud.google.com/sdk/docs/install says")
LBZIP2 = OptionalTool("lbzip2", "install the package lbzip2 of Debian or Homebrew")
CHROMIUM = OptionalTool("Chromium", "install Debian's package chromium, or Google Chrome")
INDEX = OptionalTool("the package index", "it is reached as pip reaches it: is there a network, a proxy to be set?")
CGROUPS = OptionalTool(
    "a control group with a memory limit", "run the tests as root on Linux, where cgroups can be written to"
)
SAMPLES = OptionalTool("real answers of VirusTotal", "they are under VirusTotal's licence, and not part of this")
OPTIONAL_TOOLS = (EMULATOR, TERRAFORM, GCLOUD, LBZIP2, CHROMIUM, INDEX, CGROUPS, SAMPLES)


def not_run(reasons: Iterable[str]) -> Iterator[str]:
    """Yield a line per reason for skipped tests: their number, what is missing, and how to install it."""
    wants = {want.reason: want for want in OPTIONAL_TOOLS}
    for reason, count in Counter(reasons).most_common():
        tests = "1 test" if count == 1 else f"{count} tests"
        want = wants.get(reason)
        yield f"{tests} for want of {want.what}; {want.how}" if want else f"{tests}: {reason}"
