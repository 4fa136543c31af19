"""Starts, monitors and stops the processes of a local mesh."""

import time
from collections.abc import Callable, Iterable, Mapping

from infra.local.orphan_reaper import OrphanReaper
from infra.local.process import ManagedProcess, ProcessSpec
from infra.local.state import StateFolder

_POLL_SECONDS = 0.05


class ProcessSupervisor:
    """A set of processes; none of them may end by itself."""

    def __init__(self, state: StateFolder, reaper: OrphanReaper, on_ready: Callable[[str, float], None]) -> None:
        """`on_ready` is called with each part and its start-up time in seconds."""
        self._state = state
        self._reaper = reaper
        self._on_ready = on_ready
        self._processes: dict[str, ManagedProcess] = {}
        self._starting: dict[str, ManagedProcess] = {}

    @property
    def pids(self) -> Mapping[str, int]:
        """The process of every part; each leads its own process group."""
        return {name: process.pid for name, process in self._processes.items()}

    def launch(self, part: ProcessSpec) -> None:
        """Start a part without waiting for it."""
        process = ManagedProcess(part, self._state.log(part.name), self._reaper)
        self._processes[part.name] = self._starting[part.name] = process

    def ended(self) -> list[str]:
        """Return the parts that have ended by themselves."""
        return [name for name, process in self._processes.items() if process.exit_code() is not None]

    def check(self, names: Iterable[str] | None = None) -> None:
        """Raise ProcessFailed if one of these parts (None: any) has ended by itself."""
        for name in list(self._processes) if names is None else names:
            self._processes[name].check()

    def await_ready(self, names: Iterable[str], *, alone: bool = False) -> None:
        """Wait until these parts are ready; raise ProcessFailed if one is late or any part (alone: of these) ended."""
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
        """Terminate these parts in parallel; kill those that exceed their stop timeout."""
        ending = [self._remove(name) for name in names if name in self._processes]
        for process in ending:
            process.terminate()
        asked = time.monotonic()
        for process in ending:
            process.wait(asked + process.part.stop_seconds)

    def kill(self, name: str) -> None:
        """Kill a part and its children."""
        self._remove(name).kill()

    def _remove(self, name: str) -> ManagedProcess:
        self._starting.pop(name, None)
        return self._processes.pop(name)
