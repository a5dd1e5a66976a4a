"""Apart: an action in a process of its own, so that what happens to that happens to nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from edge.child import die_with_parent
from edge.clock import SystemClock
from edge.errors import EdgeloupeError
from edge.supervise import SPAWN

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection


class Answer(NamedTuple):
    """What came out of an action."""

    detail: str
    fault: bool


class Apart:
    """One action that is under way; belongs to one thread. Leaving it ends the process."""

    def __init__(self, what: str, limit_s: float, action: Callable[..., str], *args: Any) -> None:
        """Start; `action` and `args` must be such that another process can be told of them."""
        self._clock = SystemClock()
        self._limit_s, self._until_s = limit_s, self._clock.monotonic_s() + limit_s
        self._ours, theirs = SPAWN.Pipe(duplex=False)
        self._process = SPAWN.Process(target=_tell, args=(theirs, action, args), name=what, daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    def wait(self) -> Answer:
        """Wait for the answer, at most until the limit."""
        while (answer := self.answer(max(self._until_s - self._clock.monotonic_s(), 0.0))) is None:
            pass  # waiting ended a moment before the limit
        return answer

    def answer(self, wait_s: float = 0.0) -> Answer | None:
        """Give the answer, or wait so long for it; None while there is none. A fault is an answer, too."""
        try:
            if self._ours.poll(wait_s):
                detail, fault = self._ours.recv()
                return Answer(detail, fault)
        except (EOFError, OSError):
            self._process.join(1.0)
            return Answer(f"its process ended with exit code {self._process.exitcode}", fault=True)
        if self._clock.monotonic_s() >= self._until_s:
            return Answer(f"gave no answer within {self._limit_s:.0f} s", fault=True)
        return None

    def end(self) -> None:
        """End the process, wherever it is."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._ours.close()


def _tell(answer: Connection, action: Callable[..., str], args: tuple[Any, ...]) -> None:
    die_with_parent()
    try:
        answer.send((action(*args), False))
    except EdgeloupeError as error:
        answer.send((str(error), True))
