"""NVIDIA's Model Optimizer for ONNX, with both of its ways to find ranges."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

import numpy as np  # noqa: E402 - this file has the library's name
from modelopt.onnx.quantization import quantize  # noqa: E402


def main(model: Path, pictures: np.ndarray, out: Path) -> None:
    for method in ("max", "entropy"):
        quantize(
            str(model),
            quantize_mode="int8",
            calibration_data=pictures,
            calibration_method=method,
            calibration_eps=["cpu"],
            high_precision_dtype="fp32",
            output_path=str(out / f"modelopt {method}.onnx"),
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), np.load(sys.argv[2]), Path(sys.argv[3]))
