"""ONNX Runtime's own quantiser, weights per channel, with each of its ways to find ranges."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process


class Reader(CalibrationDataReader):  # type: ignore[misc] # the library has no types
    def __init__(self, pictures: np.ndarray) -> None:
        self._left = iter(pictures)

    def get_next(self) -> dict[str, Any] | None:
        picture = next(self._left, None)
        return None if picture is None else {"picture": picture[None]}


def main(model: Path, pictures: np.ndarray, out: Path) -> None:
    prepared = out.parent / "prepared.onnx"
    quant_pre_process(str(model), str(prepared))
    for method in ("MinMax", "Entropy", "Percentile"):
        quantize_static(
            str(prepared),
            str(out / f"ort {method.lower()}.onnx"),
            Reader(pictures),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod[method],
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), np.load(sys.argv[2]), Path(sys.argv[3]))
