"""Viewer: somebody who looks at the dashboard's stream, in a process of its own, and counts the frames it gets."""

from __future__ import annotations

import http.client
import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from edge.child import become_child
from edge.errors import EdgeloupeError
from edge.supervise import SPAWN
from edge.web.server import ADDRESS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.sharedctypes import Synchronized
    from pathlib import Path

_START_S = 30.0
_FRAME = b"event: frame\n"


@contextmanager
def looking(runtime_dir: Path, camera: str, count: int) -> Iterator[Callable[[], int]]:
    """Let so many look at a camera until left; what is given tells how many frames they got. Raises EdgeloupeError."""
    counter = SPAWN.Value("Q", 0)
    if not count:
        yield lambda: 0
        return
    arguments = (address(runtime_dir), camera, count, counter)
    process = SPAWN.Process(target=_look, args=arguments, name="bench viewers", daemon=True)
    process.start()
    try:
        until = time.monotonic() + _START_S
        while counter.value < count:
            if time.monotonic() > until or not process.is_alive():
                raise EdgeloupeError("the dashboard sends no frames: is anything inspected?")
            time.sleep(0.02)
        yield lambda: counter.value
    finally:
        process.terminate()
        process.join(5.0)


def address(runtime_dir: Path) -> str:
    """Give the dashboard's address, as soon as it stands. Raises EdgeloupeError."""
    until = time.monotonic() + _START_S
    while not (runtime_dir / ADDRESS_FILE).exists():
        if time.monotonic() > until:
            raise EdgeloupeError("the dashboard did not start: pip install edgeloupe with all it needs")
        time.sleep(0.02)
    told: dict[str, Any] = json.loads((runtime_dir / ADDRESS_FILE).read_text(encoding="utf-8"))
    return str(told["url"])


def _look(url: str, camera: str, count: int, counter: Synchronized[int]) -> None:
    become_child("edgeloupe bench viewers")
    threads = [threading.Thread(target=_read, args=(url, camera, counter)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _read(url: str, camera: str, counter: Synchronized[int]) -> None:
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port or 80, timeout=_START_S)
    connection.request("GET", f"/api/v1/stream?pictures=true&camera={camera}")
    stream = connection.getresponse()
    while line := stream.readline():
        if line == _FRAME:
            with counter.get_lock():
                counter.value += 1
