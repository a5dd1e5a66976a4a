"""The worst page shows the worst pictures first, in one file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.checkpoint import Checkpoint, build_network
from models.recipe import Recipe
from models.validation import View
from models.worst_page import SHOWN, write_worst_page
from tests.models.toy import TOY

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = Recipe.model_validate(TOY)


def everything_is_a_spot() -> Checkpoint:
    """Weights whose head says spot, whatever it sees."""
    weights = build_network(RECIPE).state_dict()
    weights["head.weight"].zero_()
    weights["head.bias"].copy_(torch.tensor([0.0, 1.0]))
    return Checkpoint(RECIPE, weights, 3, 0.5)


def view(name: str, spot_columns: int) -> View:
    truth = np.zeros((32, 64), np.uint8)
    truth[:, :spot_columns] = 1
    return View(name, np.full((32, 64, 3), 90, np.uint8), truth)


def test_the_worst_stand_first_with_their_scores(tmp_path: Path) -> None:
    views = [view("half.png", 32), view("<all>.png", 64), view("quarter.png", 16)]
    write_worst_page(everything_is_a_spot(), views, tmp_path / "worst.html")
    page = (tmp_path / "worst.html").read_text(encoding="utf-8")
    assert re.findall(r"<p>(\S+): IoU (\S+) %", page) == [
        ("quarter.png", "25.0"), ("half.png", "50.0"), ("&lt;all&gt;.png", "100.0"),
    ]  # fmt: skip
    assert page.count('src="data:image/jpeg;base64,') == 4 * 3
    assert not re.findall(r'(?:src|href)="(?!data:)', page)


def test_only_so_many_are_shown(tmp_path: Path) -> None:
    views = [view(f"{n}.png", n + 1) for n in range(SHOWN + 5)]
    write_worst_page(everything_is_a_spot(), views, tmp_path / "worst.html")
    assert (tmp_path / "worst.html").read_text(encoding="utf-8").count('class="row"') == SHOWN
