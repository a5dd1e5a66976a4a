"""What a guided calibration asks for next, and when it keeps a view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.capture.coverage import Coverage, coverage
from edge.capture.guide import Guide
from edge.geometry.board import Board
from tests.boards import SIZE, Pose, render

if TYPE_CHECKING:
    from edge.capture.coverage import Lean
    from edge.geometry.board import Sighting

BOARD = Board.parse("charuco:9x6:22:16")
EMPTY = np.full((SIZE[1], SIZE[0], 3), 200, np.uint8)


def sighting(turn: tuple[float, float, float], at: tuple[float, float, float]) -> Sighting:
    seen = BOARD.see(render(BOARD.draw(), Pose(turn, at)))
    assert seen is not None
    return seen


@pytest.mark.parametrize(
    ("turn", "lean"),
    [((0.5, 0, 0), "upper"), ((-0.5, 0, 0), "lower"), ((0, 0.5, 0), "right"), ((0, -0.5, 0), "left")],
)
def test_the_edge_that_is_nearer_is_told(turn: tuple[float, float, float], lean: Lean) -> None:
    at_edge = {"lower": (0, 1), "upper": (0, -1), "left": (-1, 0), "right": (1, 0)}[lean]
    seen = sighting(turn, (0, 0, 330))
    assert coverage([seen], SIZE).leans == {lean}
    middle = seen.in_picture_px.mean(axis=0)
    side = (seen.in_picture_px - middle) @ at_edge
    across = (seen.in_picture_px - middle) @ at_edge[::-1]
    near, far = (np.ptp(across[half]) for half in (side > side.max() * 0.8, side < side.min() * 0.8))
    assert near > far, "what is nearer looks larger"


def test_a_board_that_faces_the_camera_leans_nowhere() -> None:
    assert coverage([sighting((0, 0, 0.3), (0, 0, 330))], SIZE).leans == frozenset()


def test_parts_of_the_picture_without_corners_are_missing() -> None:
    covered = coverage([sighting((0.0, 0.0, 0.0), (-120, -60, 420))], SIZE)
    assert covered.cells[0]
    assert not covered.cells[8]
    assert not covered.whole
    assert Coverage().missing_place() == "in the middle"
    assert Coverage(cells=(True,) * 8 + (False,)).missing_place() == "in the lower right"


def test_the_guide_asks_for_what_is_missing() -> None:
    guide = Guide(BOARD)
    assert guide.next_view().startswith("hold the board upright")
    for _ in range(4):
        kept = guide.look(render(BOARD.draw(), Pose((0, 0.5, 0), (0, 0, 330))))
    assert kept
    guide.keep()
    assert "tilted, its left edge nearer to the camera" in guide.next_view()


def test_a_view_is_kept_once_it_lies_still_and_is_new() -> None:
    guide, shown = Guide(BOARD, views=2), render(BOARD.draw(), Pose((0.3, 0, 0), (0, 0, 330)))
    assert [guide.take(shown) for _ in range(10)] == [False] * 3 + [True] + [False] * 6
    assert not guide.take(EMPTY)
    assert guide.seen is None
    assert guide.still == 0
    elsewhere = render(BOARD.draw(), Pose((-0.3, 0, 0), (60, 20, 330)))
    assert [guide.take(elsewhere) for _ in range(5)] == [False] * 3 + [True, False]
    assert guide.advice().startswith("last: lay the board")
