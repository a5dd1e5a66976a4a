"""NNCF on OpenVINO: its default, its asymmetric preset, and quantisation under accuracy control."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]
os.environ["NNCF_CI"] = "1"  # it would send usage figures home

import nncf  # noqa: E402 - this file has the library's name
import numpy as np  # noqa: E402
import openvino  # noqa: E402

MAX_DROP = 0.002
"""Of mean IoU, which accuracy control may lose."""


def main(model: Path, pictures: np.ndarray, out: Path, validation: np.ndarray, truth: np.ndarray) -> None:
    feed = nncf.Dataset(list(pictures), lambda picture: picture[None])

    def read() -> openvino.Model:
        return openvino.Core().read_model(model)

    def mean_iou(compiled: openvino.CompiledModel, items: object) -> float:
        found = np.stack([compiled(picture[None])[0][0].argmax(axis=0) for picture in validation])
        ious = []
        for index in np.unique(truth):
            both, either = (found == index) & (truth == index), (found == index) | (truth == index)
            ious.append(both.sum() / either.sum())
        return float(np.mean(ious))

    for preset in ("PERFORMANCE", "MIXED"):
        made = nncf.quantize(
            read(), feed, preset=nncf.QuantizationPreset[preset], subset_size=len(pictures), fast_bias_correction=True
        )
        openvino.save_model(made, out / f"nncf {preset.lower()}.xml", compress_to_fp16=False)
    made = nncf.quantize_with_accuracy_control(
        read(), feed, nncf.Dataset(list(range(len(validation)))), mean_iou, max_drop=MAX_DROP,
        preset=nncf.QuantizationPreset.MIXED, subset_size=len(pictures),
    )  # fmt: skip
    openvino.save_model(made, out / "nncf accuracy control.xml", compress_to_fp16=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), np.load(sys.argv[2]), Path(sys.argv[3]), np.load(sys.argv[4]), np.load(sys.argv[5]))
