"""ai-edge-quantizer's static INT8, from the float TFLite file that onnx2tf left."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe


def main(pictures: np.ndarray, out: Path) -> None:
    model = str(out.parent / "float.tflite")
    interpreter = Interpreter(model)
    signature = next(iter(interpreter.get_signature_list()))
    (name,) = interpreter.get_signature_runner(signature).get_input_details()
    made = quantizer.Quantizer(model, recipe.static_wi8_ai8())
    seen = made.calibrate({signature: [{name: picture.transpose(1, 2, 0)[None]} for picture in pictures]})
    made.quantize(seen).export_model(str(out / "ai-edge-quantizer static.tflite"))


if __name__ == "__main__":
    main(np.load(sys.argv[2]), Path(sys.argv[3]))
