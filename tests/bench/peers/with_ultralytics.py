"""Ultralytics and supervision: a video through `predict` in its streaming mode; the same drawn by `plot`; and frame
by frame into supervision's annotators, as its introduction shows.

YOLO11n-seg of its own configuration, exported by itself to OpenVINO in INT8. Its weights are fresh, but for what batch
normalisation takes from the clip's frames, and see nothing in particular: the confidence asked for is such that there
are a few candidates in each frame, of which the best are kept.
"""

from __future__ import annotations

import json
import statistics
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from tests.bench.peers.boxes import mend_torchvision
from tests.bench.peers.turns import OBJECTS, READ_AHEAD_S, Task, block, confidence

mend_torchvision()

import supervision  # noqa: E402
from ultralytics import YOLO  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

NAME, SIDE, CLASSES = "yolo11n-seg", 640, 80


def main() -> None:
    task = Task.given()
    pictures = [np.asarray(cv2.imread(str(path)), np.uint8) for path in sorted(task.pictures.glob("*.jpg"))]
    path = exported(task.pictures, pictures)
    model, other = YOLO(path, task="segment"), YOLO(path, task="segment")  # one that streams does nothing else
    model.predict(pictures[0], imgsz=SIDE, verbose=False)  # opens it
    predictor = model.predictor
    compiled, inputs = predictor.model.backend.ov_compiled_model, predictor.preprocess(pictures[:1]).numpy()
    best = [
        compiled(predictor.preprocess([picture]).numpy())[0][0, 4 : 4 + CLASSES].max(axis=0) for picture in pictures
    ]
    options = {"imgsz": SIDE, "conf": confidence(best), "max_det": OBJECTS, "verbose": False}
    seen = results(model, task.clip, options)
    objects = statistics.mean(len(other(picture, **options)[0]) for picture in pictures)
    pipelines: dict[str, Callable[[], object]] = {
        "Ultralytics predict": lambda: next(seen),
        "Ultralytics predict and plot": lambda: next(seen).plot(),
        "supervision, masks and labels drawn": detections(other, task.clip, options).__next__,
    }
    for name, whole in pipelines.items():
        network = f"{NAME} {SIDE}x{SIDE}, OpenVINO INT8"
        task.measure(name, network, block(whole, READ_AHEAD_S), block(lambda: compiled(inputs)), objects)


def results(model: YOLO, clip: Path, options: dict[str, Any]) -> Iterator[Any]:
    """Predict the clip over and over."""
    for _ in count():
        yield from model.predict(str(clip), stream=True, **options)


def detections(model: YOLO, clip: Path, options: dict[str, Any]) -> Iterator[Picture]:
    """Predict frame by frame, over and over, and draw masks and labels."""
    masks, labels = supervision.MaskAnnotator(), supervision.LabelAnnotator()
    for _ in count():
        for picture in supervision.get_video_frames_generator(str(clip)):
            found = supervision.Detections.from_ultralytics(model(picture, **options)[0])
            yield labels.annotate(masks.annotate(picture.copy(), found), found)


def exported(folder: Path, pictures: list[Picture]) -> str:
    """Export to OpenVINO and ONNX in the current folder; INT8 is calibrated with the pictures in `folder`."""
    torch.manual_seed(0)
    network = YOLO(f"{NAME}.yaml")
    look(network.model, pictures)
    for path in folder.glob("*.jpg"):  # a data set must be labelled
        path.with_suffix(".txt").write_text("0 0.4 0.4 0.6 0.4 0.6 0.6 0.4 0.6\n", encoding="ascii")
    data = Path("clip.yaml")
    told = {"path": str(folder), "train": ".", "val": ".", "names": list(map(str, range(CLASSES)))}
    data.write_text(json.dumps(told), encoding="utf-8")
    network.export(format="onnx", imgsz=SIDE)
    return str(network.export(format="openvino", imgsz=SIDE, quantize=8, data=str(data)))


def look(network: torch.nn.Module, pictures: list[Picture]) -> None:
    """Let batch normalisation see pictures: with none seen, fresh weights give the same everywhere."""
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the mean of all that was seen
    network.train()
    with torch.no_grad():
        for picture in pictures:
            small = torch.from_numpy(cv2.resize(picture, (SIDE, SIDE))).permute(2, 0, 1)[None] / 255
            network(small)
    network.eval()


if __name__ == "__main__":
    main()
