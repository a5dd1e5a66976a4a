"""Supervise: start a process, notice that it died or hangs, replace it, slower each time it fails soon."""

from __future__ import annotations

import logging
import multiprocessing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge.source import SCHEMES, is_video, split_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from multiprocessing.process import BaseProcess

    from edge.clock import Clock

log = logging.getLogger(__name__)

SPAWN = multiprocessing.get_context("spawn")
FORK = multiprocessing.get_context("forkserver")
"""Processes that share what one process, the fork server, has loaded for all of them."""
_WAIT_S = (0.5, 30.0)
_AT_ONCE_S = 0.1
_STOP_S = 3.0
"""A process that was asked to end may finish what it is at for so long."""
_LOOK_S = 0.02
_SOUND_S = 60.0
"""A process that lived this long was sound: the next wait is the shortest again."""


def share(sources: Iterable[str]) -> None:
    """Have all processes share the code of their cameras, and last what each of them needs; before the first starts."""
    chosen = list(sources)
    members = {SCHEMES[split_source(source)[0]] for source in chosen}
    libraries = ["av"] if any(map(is_video, chosen)) else []
    cameras = (f"edge.cameras.{member}" for member in sorted(members))
    FORK.set_forkserver_preload([*libraries, *cameras, "edge.nursery"])


@dataclass(slots=True, kw_only=True)
class Supervised:
    """One process of the daemon, owned by the core's main thread."""

    name: str
    target: Callable[..., None]
    arguments: Callable[[], tuple[Any, ...]]  # made anew for each start
    clock: Clock
    longest_wait_s: float = _WAIT_S[1]
    meanwhile: Callable[[float], object] | None = field(init=False, default=None)
    """Called again and again while the process is asked to end; to wait for so many seconds at most."""
    restarts: int = field(init=False, default=0)
    started_mono_s: float = field(init=False, default=0.0)
    died: bool = field(init=False, default=False)  # the last one ended by itself
    _process: BaseProcess | None = field(init=False, default=None)
    _wait_s: float = field(init=False, default=_WAIT_S[0])
    _start_at: float = field(init=False, default=0.0)

    @property
    def pid(self) -> int | None:
        """Its number while it runs."""
        return self._process.pid if self._process is not None else None

    def tend(self) -> bool:
        """Start or replace the process where it is due; give whether a new one was started."""
        now = self.clock.monotonic_s()
        if self._process is not None:
            if self._process.is_alive():
                return False
            log.warning("%s ended by itself (exit code %s)", self.name, self._process.exitcode)
            self.died = True
            self._gone(now)
        if now < self._start_at:
            return False
        self.restarts += self.started_mono_s > 0
        self._process = FORK.Process(target=self.target, args=self.arguments(), name=self.name, daemon=True)
        self._process.start()
        self.started_mono_s = now
        return True

    def replace(self, reason: str, *, at_once: bool = False, gently: bool = False) -> None:
        """End the process, `gently` as `stop` does; `tend` starts another after a pause, the shortest if `at_once`."""
        if self._process is None:
            return
        log.warning("%s is replaced: %s", self.name, reason)
        self.stop(gently=gently)
        self.died = False
        self._gone(self.clock.monotonic_s(), at_once=at_once)

    def stop(self, *, gently: bool = True) -> None:
        """End the process for good; `gently`: not before it had time to finish what it is at."""
        if self._process is None:
            return
        if gently:
            self._process.terminate()
            until = self.clock.monotonic_s() + _STOP_S
            while self.meanwhile and self._process.is_alive() and self.clock.monotonic_s() < until:
                self.meanwhile(_LOOK_S)
            self._process.join(max(until - self.clock.monotonic_s(), 0.0))
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process = None

    def _gone(self, now: float, *, at_once: bool = False) -> None:
        sound = now - self.started_mono_s > _SOUND_S
        self._start_at = now + (_AT_ONCE_S if at_once else _WAIT_S[0] if sound else self._wait_s)
        self._wait_s = _WAIT_S[0] if sound or at_once else min(2 * self._wait_s, self.longest_wait_s)
        self._process = None
