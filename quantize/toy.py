"""Toy: a network made by hand and pictures it can read, to try a target's tools without training anything."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.card import CardInput, ModelCard, write_card
from models.recipe import ClassSpec

if TYPE_CHECKING:
    from pathlib import Path

WIDTH, HEIGHT = 160, 96
CHANNELS = 16


def toy_card() -> ModelCard:
    """Describe the toy network: `good` is grey, `spot` is red."""
    return ModelCard(
        name="toy",
        classes=(ClassSpec(name="good"), ClassSpec(name="spot", colour=(255, 0, 0), index=1)),
        focus="spot",
        input=CardInput(width=WIDTH, height=HEIGHT, mean=(127.5, 127.5, 127.5), std=(127.5, 127.5, 127.5)),
        arch="toy",
        epochs=0,
        val_score=None,
        licence="Apache-2.0",
        data="made by hand",
    )


def toy_network() -> onnx.ModelProto:
    """Build a plain float network with its card: redness over 3x3 pixels at half the picture's size."""
    rng = np.random.default_rng(0)
    stem = rng.normal(0, 0.02, (CHANNELS, 3, 3, 3)).astype(np.float32)
    stem[0] = np.array([1, -0.5, -0.5], np.float32).reshape(3, 1, 1) / 9  # red less the mean of green and blue
    head = np.zeros((2, CHANNELS, 1, 1), np.float32)
    head[1, 0] = 8
    weights = {
        "stem": stem,
        "stem_bias": np.zeros(CHANNELS, np.float32),
        "low": np.array(0, np.float32),
        "high": np.array(6, np.float32),
        "head": head,
        "head_bias": np.array([6, 0], np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["picture", "stem", "stem_bias"], ["a"], name="stem", strides=[2, 2], pads=[1] * 4),
        helper.make_node("Clip", ["a", "low", "high"], ["b"], name="relu6"),
        helper.make_node("Conv", ["b", "head", "head_bias"], ["logits"], name="head"),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, (1, 3, HEIGHT, WIDTH))],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, 2, HEIGHT // 2, WIDTH // 2))],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    write_card(model, toy_card())
    return model


def write_toy_network(path: Path) -> Path:
    """Write the toy network to `path` and give it back."""
    onnx.save(toy_network(), path)
    return path


def write_toy_pictures(root: Path, *, train: int = 12, val: int = 6, test: int = 6) -> Path:
    """Write a data set with splits, twice the network's size: red spots on noisy grey, every third picture good."""
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    rng = np.random.default_rng(1)
    number = 0
    for split, count in (("train", train), ("val", val), ("test", test)):
        rows = []
        for _ in range(count):
            number += 1
            grey = rng.integers(90, 170) + rng.normal(0, 6, (2 * HEIGHT, 2 * WIDTH, 1))
            picture = np.repeat(np.clip(grey, 0, 255).astype(np.uint8), 3, axis=2)
            mask = np.zeros(picture.shape[:2], np.uint8)
            for _ in range(0 if number % 3 == 0 else int(rng.integers(1, 4))):
                centre = (int(rng.integers(40, 2 * WIDTH - 40)), int(rng.integers(40, 2 * HEIGHT - 40)))
                axes = (int(rng.integers(8, 30)), int(rng.integers(8, 30)))
                cv2.ellipse(mask, centre, axes, float(rng.integers(180)), 0, 360, 1, -1)
            picture[mask > 0] = (20, 20, 235)
            cv2.imwrite(str(root / "images" / f"{number}.png"), picture)
            cv2.imwrite(str(root / "masks" / f"{number}.png"), mask)
            rows.append((f"images/{number}.png", f"masks/{number}.png", f"part-{number}"))
        with (root / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("image", "mask", "group"), *rows])
    return root
