"""onnx2tf's full-integer TFLite file, and its float one, which is `ai-edge-quantizer`'s input."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

SAMPLE = "calibration_image_sample_data_20x128x128x3_float32.npy"
"""It wants to fetch this file even where it is given pictures, unless one lies where it runs."""


def main(model: Path, pictures: np.ndarray, out: Path) -> None:
    work = out.parent / "onnx2tf"
    work.mkdir()
    np.save(work / SAMPLE, np.zeros((20, 128, 128, 3), np.float32))
    np.save(work / "pictures.npy", pictures.transpose(0, 2, 3, 1))
    program = Path(sys.executable).with_name("onnx2tf")
    given = ["-cind", "picture", "pictures.npy", "0", "1"]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run(
        [program, "-i", model.resolve(), "-o", "made", "-oiqt", *given, "-n"], cwd=work, env=quiet, check=True
    )
    made = work / "made"
    shutil.copy(next(made.glob("*_full_integer_quant.tflite")), out / "onnx2tf full integer.tflite")
    shutil.copy(next(made.glob("*_float32.tflite")), out.parent / "float.tflite")


if __name__ == "__main__":
    main(Path(sys.argv[1]), np.load(sys.argv[2]), Path(sys.argv[3]))
