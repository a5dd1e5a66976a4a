"""Turns: a peer's whole pipeline and its bare runtime on the same network, by turns in one process of one core."""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

BLOCK = 10
"""Frames measured together."""

OBJECTS = 4
"""In each frame, as far as a peer's network lets that be chosen."""

CANDIDATES = 5 * OBJECTS
"""That boxes are chosen from, where weights are fresh."""

READ_AHEAD_S = 0.1
"""What a pipeline reads ahead of the next frame is paid for by then."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a peer is asked to do; its own files go into the current folder."""

    clip: Path
    pictures: Path  # some of its frames, as JPEG
    frames: int
    told: Path  # JSON lines, one for each pipeline

    @classmethod
    def given(cls) -> Task:
        """Read the command line."""
        clip, pictures, frames, told = sys.argv[1:]
        return cls(Path(clip), Path(pictures), int(frames), Path(told))

    def measure(
        self, name: str, network: str, whole: Callable[[], float], bare: Callable[[], float], objects: float | None
    ) -> None:
        """Take blocks of a whole pipeline and of its bare runtime by turns, the first to warm up; write it down.

        `whole` and `bare` give the CPU milliseconds per frame of one block, `objects` is how many a frame holds.
        """
        blocks = [(whole(), bare()) for _ in range(self.frames // BLOCK + 1)][1:]
        wholes, bares = zip(*blocks, strict=True)
        told = {
            "pipeline": name,
            "network": network,
            "objects": objects,
            "bare_ms": statistics.median(bares),
            "whole_ms": statistics.median(wholes),
            "ratio": statistics.median(whole / bare for whole, bare in blocks),
        }
        with self.told.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(told)}\n")


def confidence(scores: Iterable[NDArray[np.float32]]) -> float:
    """Give the confidence at which every frame has candidates enough, given the best class's score of each box."""
    return min(float(np.sort(one)[-CANDIDATES]) for one in scores)


def block(action: Callable[[], object], after_s: float = 0.0) -> Callable[[], float]:
    """Give what measures one block: CPU milliseconds of all threads per call, and of what goes on for a while after."""

    def measure() -> float:
        began = time.process_time()
        for _ in range(BLOCK):
            action()
        time.sleep(after_s)
        return 1000 * (time.process_time() - began) / BLOCK

    return measure
