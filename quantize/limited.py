"""Limited: masks on processors without VNNI, which add two products of 8-bit numbers in 16 bits, and cut off there.

oneDNN, which computes for OpenVINO, can be told to use older instructions only; it reads that once per process, so
another one runs the network. Called as a program it takes a network, pictures and where the class maps go.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge import runtimes
from edge.errors import ModelError
from models.metrics import binary_iou

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.frame import Picture

OLDER = {"ONEDNN_MAX_CPU_ISA": "AVX2"}

RUNTIME = "openvino"
"""Of the runtimes, the one whose arithmetic depends on it."""


def limited_agreement(entry: Path, pictures: Sequence[Picture], focus: int) -> float:
    """Give the IoU of the focus class's masks with and without VNNI, over all pictures; 1 where neither shows it.

    Args:
        entry: the INT8 network.
        pictures: (H, W, 3) uint8 BGR at the network's input size.
        focus: index of the class.

    Raises:
        ModelError: the network can't be run.
    """
    with tempfile.TemporaryDirectory(prefix="edgeloupe-") as folder:
        given, made = Path(folder) / "pictures.npy", Path(folder) / "classes.npy"
        np.save(given, np.stack(pictures))
        command = [sys.executable, "-m", "quantize.limited", str(entry), str(given), str(made)]
        done = subprocess.run(command, env=os.environ | OLDER, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ModelError(f"{entry}: can't be run with older instructions: {done.stderr.strip().splitlines()[-1]}")
        limited = np.load(made)
    return binary_iou(_classes(entry, pictures) == focus, limited == focus)


def _classes(entry: Path, pictures: Sequence[Picture]) -> np.ndarray:
    with runtimes.create(RUNTIME, entry, threads=1) as network:
        return np.stack([network.infer(picture)[0] for picture in pictures])


if __name__ == "__main__":
    np.save(sys.argv[3], _classes(Path(sys.argv[1]), np.load(sys.argv[2])))
