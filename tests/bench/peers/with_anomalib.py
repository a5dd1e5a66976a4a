"""anomalib: `OpenVINOInferencer` on each frame of a video that OpenCV reads; it has no video pipeline of its own.

FastFlow on ResNet-18 with fresh weights, exported by itself to OpenVINO as it does by default, in float.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import torch

from tests.bench.peers.boxes import mend_torchvision
from tests.bench.peers.turns import Task, block

mend_torchvision()

from anomalib.deploy import OpenVINOInferencer  # noqa: E402
from anomalib.models import Fastflow  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> None:
    task = Task.given()
    torch.manual_seed(0)
    model = Fastflow(backbone="resnet18", pre_trained=False).eval()
    inferencer = OpenVINOInferencer(model.to_openvino(Path.cwd()), device="CPU")
    seen = frames(task.clip)
    name, inputs = inferencer.input_blob.any_name, inferencer.pre_process(next(seen))
    task.measure(
        "anomalib OpenVINOInferencer",
        "FastFlow ResNet-18 256x256, OpenVINO float",
        block(lambda: inferencer.predict(next(seen))),
        block(lambda: inferencer.model({name: inputs})),
        objects=None,
    )


def frames(clip: Path) -> Iterator[Any]:
    """Read a video over and over, as RGB."""
    while True:
        capture = cv2.VideoCapture(str(clip))
        while (read := capture.read())[0]:
            yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)


if __name__ == "__main__":
    main()
