"""Curves for TensorBoard, where somebody wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from models.curves import curves

if TYPE_CHECKING:
    from pathlib import Path


def test_values_are_drawn_by_epoch(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with curves(tmp_path) as draw:
        draw(5, {"loss": 0.5, "val_iou_spot": 0.25})
        draw(10, {"loss": 0.25, "val_iou_spot": 0.75})
    events = accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("val_iou_spot")] == [(5, 0.25), (10, 0.75)]


def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    with curves(None) as draw:
        draw(1, {"loss": 0.5})
    assert not list(tmp_path.iterdir())
