"""Toy: the recipe that most of the classroom's tests train by, as values and as the file a user would write."""

from __future__ import annotations

from typing import Any

TOY: dict[str, Any] = {
    "name": "toy",
    "classes": [{"name": "good"}, {"name": "spot"}],
    "score_class": "spot",
    "input": {"width": 64, "height": 32},
    "arch": {"width": 0.5},
    "train": {"epochs": 1},
    "provenance": {"licence": "MIT", "data": "toys"},
}

TOY_FILE = """
name: toy
classes: [{name: good}, {name: spot}]
score_class: spot
input: {width: 64, height: 32}
arch: {width: 0.5}
train: {epochs: 2, batch: 4, warmup_epochs: 0, validate_every: 1}
provenance: {licence: MIT, data: toys}
"""
