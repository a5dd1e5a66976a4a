"""Roboflow inference: its `InferencePipeline` over a video, around a model of a local folder.

The YOLO11n-seg that Ultralytics exported here as ONNX, in float: there is no INT8 for processors. ONNX Runtime is
opened by `inference`, with as many threads as it takes by default.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import cv2

from tests.bench.peers.boxes import mend_torchvision
from tests.bench.peers.turns import BLOCK, OBJECTS, Task, block, confidence

mend_torchvision()

from inference import InferencePipeline  # noqa: E402
from inference_models import AutoModel  # noqa: E402

EXPORTED = Path("yolo11n-seg.onnx")
SIDE, CLASSES = 640, 80
FILLED = 15
"""Frames after which what is decoded ahead is full, so that one more is decoded for each that is taken."""


def main() -> None:
    task = Task.given()
    model = AutoModel.from_pretrained(str(package()))
    session = model._session  # noqa: SLF001 # the bare runtime, opened as the pipeline has it
    pictures = [cv2.imread(str(path)) for path in sorted(task.pictures.glob("*.jpg"))]
    inputs = [model.pre_process(picture)[0].numpy() for picture in pictures]
    name = session.get_inputs()[0].name
    best = [session.run(None, {name: one})[0][0, 4 : 4 + CLASSES].max(axis=0) for one in inputs]
    options = {"confidence": confidence(best), "max_detections": OBJECTS}

    def see(taken: list[Any]) -> Any:
        return model([frame.image for frame in taken], **options)

    task.measure(
        "Roboflow InferencePipeline",
        f"yolo11n-seg {SIDE}x{SIDE}, ONNX Runtime float",
        lambda: piped_ms(task.clip, see),
        block(lambda: session.run(None, {name: inputs[0]})),
        objects=statistics.mean(len(model(picture, **options)[0].xyxy) for picture in pictures),
    )


def piped_ms(clip: Path, see: Any) -> float:
    """Run a pipeline until a block has gone through after the first frames; give CPU milliseconds per frame of it."""
    at_s: list[float] = []

    def take(_prediction: Any, _frame: Any) -> None:
        at_s.append(time.process_time())
        if len(at_s) > FILLED + BLOCK:
            pipeline.terminate()

    pipeline = InferencePipeline.init_with_custom_logic(str(clip), on_video_frame=see, on_prediction=take)
    pipeline.start(use_main_thread=False)
    pipeline.join()
    return 1000 * (at_s[FILLED + BLOCK] - at_s[FILLED]) / BLOCK


def package() -> Path:
    """Lay the exported network out as the folder of a model."""
    folder = Path("roboflow-model")
    folder.mkdir()
    shutil.copy(EXPORTED, folder / "weights.onnx")
    (folder / "class_names.txt").write_text("\n".join(map(str, range(CLASSES))), encoding="utf-8")
    told = {"model_architecture": "yolov11", "task_type": "instance-segmentation", "backend_type": "onnx"}
    (folder / "model_config.json").write_text(json.dumps(told), encoding="utf-8")
    taken = {
        "training_input_size": {"height": SIDE, "width": SIDE},
        "dynamic_spatial_size_supported": False,
        "color_mode": "rgb",
        "resize_mode": "letterbox",
        "padding_value": 114,
        "input_channels": 3,
        "scaling_factor": 255,
    }
    behind = {"type": "nms", "fused": False}
    config = {"network_input": taken, "post_processing": behind, "forward_pass": {"static_batch_size": 1}}
    (folder / "inference_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


if __name__ == "__main__":
    main()
