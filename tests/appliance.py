"""A daemon in processes of its own, and what can be seen of it from outside."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import yaml

from edge.health import health_slot
from edge.outbox.outbox import OutboxReader
from edge.slot import Slot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Appliance:
    """One running daemon over one camera, `c`, and a scripted network; its files lie in `folder`.

    Without a bundle it runs the one that was activated in its store.
    """

    def __init__(self, folder: Path, bundle: Path | None, source: str, **options: Any) -> None:
        env = options.pop("env", {})
        sections: dict[str, Any] = {
            section: options.pop(section) for section in ("mqtt", "sinks", "recipes", "recipe") if section in options
        }
        others, storage = options.pop("others", {}), options.pop("storage", {})
        rules = options.pop("rules", {"spot": {"min_area_px": 20}})
        config: dict[str, Any] = {
            "device": "test",
            "model": {"bundle": str(bundle)} if bundle else {},
            "rules": rules,
            "alerts": {"clear": 1},
            "storage": {"state_dir": str(folder / "state"), "runtime_dir": str(folder / "run"), **storage},
            "web": options.pop("web", {"enabled": False}),
            **sections,
            "cameras": {"c": {"source": source, **options}, **others},
        }
        self.folder = folder
        self.config = folder / "edgeloupe.yaml"
        self.config.write_text(yaml.safe_dump(config), encoding="utf-8")
        self._env = {**os.environ, **env}
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "edge.cli", "run", "-c", str(self.config)], env=self._env)

    def kill_and_restart(self) -> None:
        """Cut it off as a power cut does, and start it again."""
        self.process.kill()
        self.process.wait()
        self.process = self._start()

    def health(self) -> dict[str, Any]:
        with contextlib.suppress(OSError), Slot(health_slot(self.folder / "run")) as slot:
            snapshot = slot.newest()
            if snapshot is not None:
                return snapshot.meta
        return {}

    def alerts(self) -> list[dict[str, Any]]:
        return OutboxReader(self.folder / "state" / "outbox.sqlite").recent(10_000)[::-1]

    def wait_for(self, what: Callable[[], object], limit_s: float = 60.0) -> None:
        deadline = time.monotonic() + limit_s
        while not what():
            assert self.process.poll() is None, f"the daemon ended with {self.process.returncode}"
            assert time.monotonic() < deadline, f"not within {limit_s} s; health: {json.dumps(self.health())}"
            time.sleep(0.05)

    def camera(self, name: str = "c") -> dict[str, Any]:
        return dict(self.health().get("cameras", {}).get(name, {}))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def draw_parts(folder: Path, count: int) -> Path:
    """Make `count` pictures, every third with a spot."""
    folder.mkdir()
    for number in range(count):
        picture = np.full((120, 160, 3), 128, np.uint8)
        if number % 3 == 0:
            picture[40:80, 50:110] = (0, 0, 255)
        cv2.imwrite(str(folder / f"{number:03}.png"), picture)
    return folder


def children(pid: int) -> list[int]:
    """Give the processes that a process started and that are still there."""
    return [
        int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    ]


def runs(pid: int) -> bool:
    """Say whether a process is there and no mere remainder."""
    with contextlib.suppress(OSError):
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
        return not text.rsplit(")", 1)[1].split()[0].startswith("Z")
    return False
