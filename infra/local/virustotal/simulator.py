"""What both ports share: the settings of a run, and everything that the control endpoint can change."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from infra.local.virustotal.bodies import package_body, package_text
from infra.local.virustotal.clock import Clock, ClockSetting
from infra.local.virustotal.faults import FaultBook, Rule
from infra.local.virustotal.feeds import parse_package_name
from infra.local.virustotal.packages import Package
from infra.local.virustotal.stats import Stats
from infra.local.virustotal.tickets import Tickets

# Enough for parallel downloads and their retries; a package of a large benchmark is some megabytes.
_BODIES_KEPT = 16

DEFAULT_KEY = "local-simulator-key"


class Modes(BaseModel):
    """Switches: answer 200 with the body instead of 302, and serve byte ranges."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    direct: bool = False
    ranges: bool = True


@dataclass(frozen=True)
class Settings:
    """How a run was started; a reset comes back to this."""

    seed: str = "1"
    lines: int = 60
    api_key: str = DEFAULT_KEY
    notification_seconds: int = 60
    download_url: str = "http://127.0.0.1:0"
    modes: Modes = field(default_factory=Modes)


class Simulator:
    """One simulated VirusTotal."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = Clock()
        self.faults = FaultBook(settings.seed)
        self.stats = Stats()
        self.tickets = Tickets()
        self.body = lru_cache(_BODIES_KEPT)(self._body)
        # Parts of the API with a state of their own put what brings it back here.
        self.resets: list[Callable[[], None]] = []
        self.reset()

    def reset(self) -> None:
        """Come back to the state at the start."""
        self.clock.setting = ClockSetting()
        self.faults.replace(())
        self.stats.clear()
        self.keys = frozenset({self.settings.api_key})
        self.modes = self.settings.modes
        self.given: dict[tuple[str, str], bytes] = {}
        for reset in self.resets:
            reset()

    def text(self, feed: str, minute: str, rules: tuple[Rule, ...]) -> bytes:
        """Return the decompressed lines of a minute as these body faults leave them."""
        return package_text(self._package(feed, minute), rules)

    def _body(self, feed: str, minute: str, rules: tuple[Rule, ...]) -> bytes:
        return package_body(self._package(feed, minute), rules)

    def _package(self, feed: str, minute: str) -> Package:
        when = parse_package_name(minute)
        if when is None:
            raise ValueError(f"{minute!r} is not a package name")
        return Package(self.settings.seed, feed, when, self.settings.lines)
