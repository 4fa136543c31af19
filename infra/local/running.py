"""The parts that run: started, waited for, watched and stopped."""

import time
from collections.abc import Callable, Iterable, Mapping

from infra.local.process import Part, PartProcess
from infra.local.reaper import Reaper
from infra.local.state import StateFolder

_POLL_SECONDS = 0.05


class Running:
    """A set of processes of which none may end by itself."""

    def __init__(self, state: StateFolder, reaper: Reaper, on_ready: Callable[[str, float], None]) -> None:
        """Start with no process; `on_ready` is told each part and the seconds it took."""
        self._state = state
        self._reaper = reaper
        self._on_ready = on_ready
        self._processes: dict[str, PartProcess] = {}
        self._starting: dict[str, PartProcess] = {}

    @property
    def pids(self) -> Mapping[str, int]:
        """The process of every part; each leads a process group of its own."""
        return {name: process.pid for name, process in self._processes.items()}

    def launch(self, part: Part) -> None:
        """Start a part without waiting for it."""
        process = PartProcess(part, self._state.log(part.name), self._reaper)
        self._processes[part.name] = self._starting[part.name] = process

    def ended(self) -> list[str]:
        """Return the parts that have ended by themselves."""
        return [name for name, process in self._processes.items() if process.exit_code() is not None]

    def check(self, names: Iterable[str] | None = None) -> None:
        """Raise PartFailed when one of these parts (None: any) has ended by itself."""
        for name in list(self._processes) if names is None else names:
            self._processes[name].check()

    def await_ready(self, names: Iterable[str], *, alone: bool = False) -> None:
        """Wait until these are ready; raise PartFailed when one is late or any part (alone: one of these) has ended."""
        wanted = set(names)
        while True:
            self.check(wanted if alone else None)
            self._look()
            if wanted.isdisjoint(self._starting):
                return
            time.sleep(_POLL_SECONDS)

    def _look(self) -> None:
        for name, process in list(self._starting.items()):
            if process.part.ready():
                del self._starting[name]
                self._on_ready(name, process.age())
            else:
                process.check_on_time()

    def end(self, names: Iterable[str]) -> None:
        """Ask these parts to end, all at once; kill those that take longer than they may."""
        ending = [self._remove(name) for name in names if name in self._processes]
        for process in ending:
            process.terminate()
        asked = time.monotonic()
        for process in ending:
            process.wait(asked + process.part.stop_seconds)

    def kill(self, name: str) -> None:
        """Kill a part and its children."""
        self._remove(name).kill()

    def _remove(self, name: str) -> PartProcess:
        self._starting.pop(name, None)
        return self._processes.pop(name)
