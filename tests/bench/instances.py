"""Instances: a bundle for measuring, whose network of 640x640 keeps touching objects apart.

    python -m tests.bench.instances BUNDLE

LoupeNet of 9.8 GFLOP, about as much as a YOLO11n-seg, with fresh weights: how long it takes does not depend on them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.clock import SystemClock, rfc3339
from models.checkpoint import Checkpoint, build_network
from models.export import export
from models.recipe import Recipe
from quantize.figures import Gate
from quantize.toy import write_toy_pictures
from quantize.workshop import Order, quantize

RECIPE = {
    "name": "instances",
    "classes": [{"name": "good"}, {"name": "spot", "index": 1}, {"name": "seam", "between": "spot"}],
    "score_class": "spot",
    "input": {"width": 640, "height": 640},
    "arch": {"name": "loupenet", "width": 2.6},
    "train": {"epochs": 1},
    "provenance": {"licence": "Apache-2.0", "data": "none: fresh weights"},
}


def make(output: Path) -> None:
    """Write the bundle, signed with a key that nobody keeps."""
    torch.manual_seed(0)
    recipe = Recipe.model_validate(RECIPE)
    network = build_network(recipe)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        export(Checkpoint(recipe, network.state_dict(), 0, 0.0), model)
        order = Order(
            model=model,
            data=write_toy_pictures(Path(folder) / "pictures"),
            targets=("openvino",),
            output=output,
            key=Ed25519PrivateKey.generate(),
            created=rfc3339(SystemClock().wall_s()),
            gate=Gate(max_drop_points=100, min_agreement=0),
            threads=1,
            minutes=0.5,
        )
        quantize(order)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
