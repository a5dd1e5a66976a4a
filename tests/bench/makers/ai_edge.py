"""ai-edge-quantizer's static INT8, from the float TFLite file that onnx2tf left."""

from __future__ import annotations

import sys
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_quantizer import quantizer, recipe

KEY, GIVEN, MADE = "serving_default", "picture", "logits"


def signed(content: bytes) -> bytes:
    """Give a file with a signature, which it asks for and onnx2tf does not write."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    (graph,) = model.subgraphs

    def named(name: str, index: int) -> schema.TensorMapT:
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, index
        return entry

    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = KEY, 0
    signature.inputs = [named(GIVEN, graph.inputs[0])]
    signature.outputs = [named(MADE, graph.outputs[0])]
    model.signatureDefs = [signature]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def main(pictures: np.ndarray, out: Path) -> None:
    made = quantizer.Quantizer(signed((out.parent / "float.tflite").read_bytes()), recipe.static_wi8_ai8())
    seen = made.calibrate({KEY: [{GIVEN: picture.transpose(1, 2, 0)[None]} for picture in pictures]})
    made.quantize(seen).export_model(str(out / "ai-edge-quantizer static.tflite"))


if __name__ == "__main__":
    main(np.load(sys.argv[2]), Path(sys.argv[3]))
