"""The state of the simulator: the settings of a run, and everything that the control endpoint can change."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from infra.local.virustotal import errors
from infra.local.virustotal.bodies import package_body, package_text
from infra.local.virustotal.clock import Clock, ClockSetting
from infra.local.virustotal.download_tokens import DownloadTokens
from infra.local.virustotal.faults import Rule, fault_book
from infra.local.virustotal.feeds import parse_package_name
from infra.local.virustotal.packages import Package
from infra.local.virustotal.stats import Stats
from infra.local.virustotal.streams.pace import Pace
from infra.local.web import Answer, Request

# Enough for parallel downloads and their retries; a package of a large benchmark is some megabytes.
_BODIES_KEPT = 16

DEFAULT_KEY = "local-simulator-key"


class Modes(BaseModel):
    """Modes: respond with 200 and the body instead of 302, serve byte ranges, refuse keys at the download port.

    By default the download port accepts and counts keys: VirusTotal's client sends its key there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    direct: bool = False
    ranges: bool = True
    refuse_keys: bool = False


@dataclass(frozen=True)
class Settings:
    """The settings of a run; a reset returns to them."""

    seed: str = "1"
    lines: int = 60
    api_key: str = DEFAULT_KEY
    notification_seconds: int = 60
    pace: Pace = field(default_factory=Pace)
    download_url: str = "http://127.0.0.1:0"
    modes: Modes = field(default_factory=Modes)


class Simulator:
    """One simulated VirusTotal."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = Clock()
        self.faults = fault_book(settings.seed)
        self.stats = Stats()
        self.tokens = DownloadTokens()
        self.body = lru_cache(_BODIES_KEPT)(self._body)
        # Parts of the API with their own state register their reset here.
        self.resets: list[Callable[[], None]] = []
        self.reset()

    def reset(self) -> None:
        """Reset to the initial state."""
        self.clock.setting = ClockSetting()
        self.faults.replace(())
        self.stats.clear()
        self.keys = frozenset({self.settings.api_key})
        self.modes = self.settings.modes
        self.given: dict[tuple[str, str], bytes] = {}
        for reset in self.resets:
            reset()

    def refuse_key(self, request: Request) -> Answer | None:
        """Return the error of a request without a valid API key, or None."""
        key = request.headers.get("x-apikey")
        if key is None:
            return errors.key_missing()
        return None if key in self.keys else errors.key_wrong()

    def text(self, feed: str, minute: str, rules: tuple[Rule, ...]) -> bytes:
        """Return the decompressed lines of a minute with these body faults applied."""
        return package_text(self._package(feed, minute), rules)

    def _body(self, feed: str, minute: str, rules: tuple[Rule, ...]) -> bytes:
        return package_body(self._package(feed, minute), rules)

    def _package(self, feed: str, minute: str) -> Package:
        when = parse_package_name(minute)
        if when is None:
            raise ValueError(f"{minute!r} is not a package name")
        return Package(self.settings.seed, feed, when, self.settings.lines)
