"""Background: an event loop in a thread of its own, for libraries that know no other way; its owner calls into it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import TimeoutError as WaitedTooLong
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

CALL_S = 10.0
GRACE_S = 1.0


class Background:
    """Runs coroutines for one other thread; leaving ends what still runs, and the loop's thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop  # stands while entered, as the thread does
        self._thread: threading.Thread

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self.call(_end_all())
        except TimeoutError:
            pass  # what does not end is left to the daemon thread
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CALL_S)
            if not self._thread.is_alive():
                self._loop.close()

    def call(self, work: Coroutine[Any, Any, T], timeout_s: float = CALL_S) -> T:
        """Run `work` on the loop and give its result or raise its error; TimeoutError after `timeout_s`."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout_s)
        except WaitedTooLong:
            future.cancel()
            raise


async def _end_all() -> None:
    """Let tasks that are closing something finish, and cancel those that don't."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    if others:
        _, late = await asyncio.wait(others, timeout=GRACE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # transports that were closed say goodbye in the loop's next round
