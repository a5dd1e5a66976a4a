"""A camera that does not exist: renders a plane through a known lens, so that the truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.geometry.board import Board
    from edge.picture import Picture

MATRIX = np.array([[600.0, 0, 436], [0, 603, 234], [0, 0, 1]])
DISTORTION = np.array([-0.22, 0.07, 0.0008, -0.0005, -0.01])
SIZE = (856, 480)
PLANE_PX_PER_MM = 8
_FINER = 2


@dataclass(frozen=True)
class Pose:
    """Where the plane's middle lies before the camera (mm), and how the plane is turned about it (Rodrigues)."""

    turn: tuple[float, float, float]
    at: tuple[float, float, float]


@cache
def _rays() -> NDArray[np.float64]:
    """Give where each pixel looks, (H, W, 2), at twice the picture's size."""
    wide, high = SIZE[0] * _FINER, SIZE[1] * _FINER
    rows, columns = np.mgrid[0:high, 0:wide].astype(np.float64)
    pixels = np.column_stack([(columns.ravel() + 0.5) / _FINER - 0.5, (rows.ravel() + 0.5) / _FINER - 0.5])
    rays = cv2.undistortPoints(pixels.reshape(-1, 1, 2), MATRIX, DISTORTION)
    return np.asarray(rays, np.float64).reshape(high, wide, 2)


def render(plane: NDArray[np.uint8], pose: Pose, *, noise: float = 2.0, seed: int = 1) -> Picture:
    """See a drawn plane, 8 pixels to the millimetre; beyond it all is pale."""
    middle = np.array([plane.shape[1], plane.shape[0], 0]) / 2 / PLANE_PX_PER_MM
    turn, _ = cv2.Rodrigues(np.array(pose.turn))
    shift = np.array(pose.at) - turn @ middle
    to_plane = np.linalg.inv(np.column_stack([turn[:, 0], turn[:, 1], shift]))
    hit = cv2.perspectiveTransform(_rays(), to_plane)
    on_plane = np.asarray(hit * PLANE_PX_PER_MM - 0.5, np.float32)
    soft = cv2.GaussianBlur(plane, (0, 0), 1.2)
    seen = cv2.remap(soft, on_plane[..., 0], on_plane[..., 1], cv2.INTER_LINEAR, borderValue=(210.0,))
    small: NDArray[Any] = cv2.resize(seen, SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
    grain = np.random.default_rng(seed).normal(0, noise, small.shape)
    return np.dstack([np.clip(20 + 0.8 * small + grain, 0, 255).astype(np.uint8)] * 3)


def views(board: Board, count: int) -> list[Picture]:
    """Show the board in different places and tilts."""
    drawn = board.draw()
    rng = np.random.default_rng(7)
    poses = []
    for number in range(count):
        tilt = 0.45 * np.array([np.cos(2.4 * number), np.sin(2.4 * number), 0.0])
        at = (rng.uniform(-90, 90), rng.uniform(-45, 45), rng.uniform(260, 380))
        poses.append(Pose((float(tilt[0]), float(tilt[1]), float(rng.uniform(-0.3, 0.3))), at))
    return [render(drawn, pose, seed=number) for number, pose in enumerate(poses)]


PLANE = Pose((0.28, -0.16, 0.05), (5.0, -4.0, 330.0))
"""The camera looks at the inspection plane from the side."""
