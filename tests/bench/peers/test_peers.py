"""What the comparison itself does; peers are measured by hand."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import torch

from tests.bench.peers.__main__ import cells, fault
from tests.bench.peers.boxes import nms
from tests.bench.peers.turns import Task

if TYPE_CHECKING:
    from pathlib import Path


def test_blocks_are_taken_by_turns_and_the_first_pair_only_warms_up(tmp_path: Path) -> None:
    order: list[str] = []
    figures = {"whole": [99.0, 3.0, 8.0, 4.0], "bare": [99.0, 2.0, 4.0, 1.0]}

    def take(kind: str) -> float:
        order.append(kind)
        return figures[kind].pop(0)

    task = Task(tmp_path, tmp_path, 30, tmp_path / "told.jsonl")
    task.measure("p", "n", lambda: take("whole"), lambda: take("bare"), objects=4)
    assert order == ["whole", "bare"] * 4
    told = json.loads(task.told.read_text(encoding="utf-8"))
    assert told == {"pipeline": "p", "network": "n", "objects": 4, "bare_ms": 2.0, "whole_ms": 4.0, "ratio": 2.0}
    assert cells(told) == ("p", "n", "4.0", "2.00", "4.00", "2.00", "2.00")


def test_what_failed_is_one_line() -> None:
    assert fault([sys.executable, "-c", "import sys; sys.exit('a first line\\nno such peer')"]) == "no such peer"
    assert fault([sys.executable, "-c", "pass"]) is None


def test_a_box_that_a_better_one_covers_is_dropped_and_best_come_first() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0], [1.0, 1.0, 10.0, 10.0]])
    kept = nms(boxes, torch.tensor([0.5, 0.6, 0.9]), 0.5)
    assert kept.tolist() == [2, 1]
    assert nms(boxes, torch.tensor([0.5, 0.6, 0.9]), 0.9).tolist() == [2, 1, 0]
