"""Calibration: lens, plane and millimetres per pixel of one camera, from pictures of a printed board."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.errors import ConfigError, PictureError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.geometry.board import Sighting

SCHEMA = "edgeloupe.calibration/1"
FEWEST = 6
"""Views of the board that fix a lens; fewer leave distortion undetermined."""
_MOST_PIXELS = 64_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What maps a picture of one camera to the inspection plane. OpenCV's pinhole model with distortion."""

    width: int  # of the pictures it was made from
    height: int
    matrix: list[list[float]]  # 3x3, pixels
    distortion: list[float]  # k1, k2, p1, p2, k3
    rotation: list[float] | None  # of the plane towards the camera, Rodrigues; None without a plane
    translation: list[float] | None  # mm
    error_px: float  # mean reprojection error
    views: int
    mm_per_px: float | None = None  # of the straightened picture
    origin_mm: tuple[float, float] = (0.0, 0.0)  # of its upper left corner, on the plane
    out_width: int = 0  # of the straightened picture
    out_height: int = 0


def calibrate(sightings: Sequence[Sighting], *, plane: Sighting | None, size: tuple[int, int]) -> Calibration:
    """Fit lens and plane.

    Args:
        sightings: of the board in different places and tilts.
        plane: of the board lying where parts will lie; None leaves perspective and scale alone.
        size: width and height of the pictures.

    Raises:
        PictureError: too few views, or they don't determine the lens.
    """
    views = [*sightings, *([plane] if plane is not None else [])]
    if len(views) < FEWEST:
        raise PictureError(f"the board was seen in {len(views)} pictures: at least {FEWEST} are needed")
    objects = [view.on_board_mm for view in views]
    images = [view.in_picture_px for view in views]
    try:
        _, matrix, distortion, _, _ = cv2.calibrateCamera(objects, images, size, None, None)
    except cv2.error as error:
        raise PictureError(
            f"the pictures don't determine the lens: {str(error.err)[:80]}: tilt the board more"
        ) from None
    distortion = distortion.ravel()[:5]
    error_px = _error_px(views, matrix, distortion)
    made = Calibration(
        width=size[0],
        height=size[1],
        matrix=matrix.tolist(),
        distortion=distortion.tolist(),
        rotation=None,
        translation=None,
        error_px=error_px,
        views=len(views),
    )
    return made if plane is None else _with_plane(made, plane)


def _error_px(views: Sequence[Sighting], matrix: NDArray[Any], distortion: NDArray[Any]) -> float:
    """Mean distance between corners as seen and as the model puts them."""
    distances = []
    for view in views:
        _, rotation, translation = cv2.solvePnP(view.on_board_mm, view.in_picture_px, matrix, distortion)
        put, _ = cv2.projectPoints(view.on_board_mm, rotation, translation, matrix, distortion)
        distances.append(np.linalg.norm(put.reshape(-1, 2) - view.in_picture_px, axis=1))
    return float(np.concatenate(distances).mean())


def _with_plane(lens: Calibration, plane: Sighting) -> Calibration:
    """Lay the straightened picture over the part of the plane that the camera sees, as fine as its middle."""
    matrix, distortion = np.array(lens.matrix), np.array(lens.distortion)
    _, rotation, translation = cv2.solvePnP(plane.on_board_mm, plane.in_picture_px, matrix, distortion)
    turn, _ = cv2.Rodrigues(rotation)
    right, low = lens.width - 1.0, lens.height - 1.0
    edge = np.linspace(0, 1, 9)
    border = [(right * t, low * s) for t in edge for s in (0, 1)] + [(right * s, low * t) for t in edge for s in (0, 1)]
    seen = _on_plane(np.array(border), matrix, distortion, turn, translation)
    middle = np.array([[right / 2, low / 2], [right / 2 + 1, low / 2], [right / 2, low / 2 + 1]])
    here, beside, below = _on_plane(middle, matrix, distortion, turn, translation)
    scale = float(np.sqrt(np.linalg.norm(beside - here) * np.linalg.norm(below - here)))
    corner, extent = seen.min(axis=0), np.ptp(seen, axis=0)
    width, height = (round(float(length) / scale) for length in extent)
    if not 16 <= width * height <= _MOST_PIXELS or min(width, height) < 16:
        raise PictureError("the plane is seen too flat: mount the camera more upright, or lay the board nearer")
    values = asdict(lens) | {
        "rotation": rotation.ravel().tolist(),
        "translation": translation.ravel().tolist(),
        "mm_per_px": scale,
        "origin_mm": (float(corner[0]), float(corner[1])),
        "out_width": width,
        "out_height": height,
    }
    return Calibration(**values)


def _on_plane(
    points: NDArray[Any], matrix: NDArray[Any], distortion: NDArray[Any], turn: NDArray[Any], shift: NDArray[Any]
) -> NDArray[np.float64]:
    """Follow rays of pixels to the plane z = 0 of the board; (N, 2) px to (N, 2) mm."""
    straight = cv2.undistortPoints(points.reshape(-1, 1, 2), matrix, distortion).reshape(-1, 2)
    homography = np.linalg.inv(np.column_stack([turn[:, 0], turn[:, 1], shift.ravel()]))
    mapped = np.column_stack([straight, np.ones(len(straight))]) @ homography.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:], np.float64)


def save(calibration: Calibration, path: Path) -> None:
    """Write it whole or not at all, so that it outlives a power cut. Raises ConfigError."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(json.dumps({"schema": SCHEMA, **asdict(calibration)}, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: give a folder that this user may write") from error


def load(path: Path) -> Calibration:
    """Read what `save` wrote. Raises ConfigError."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        calibration = Calibration(**{key: value for key, value in values.items() if (key, value) != ("schema", SCHEMA)})
        np.array(calibration.matrix, np.float64).reshape(3, 3)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: make one with `edgeloupe calibrate-camera`") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: is no calibration: make one with `edgeloupe calibrate-camera`") from error
    return calibration


def maps(calibration: Calibration) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Make the fixed-point maps of `cv2.remap` from the straightened picture to the camera's."""
    matrix, distortion = np.array(calibration.matrix), np.array(calibration.distortion)
    if calibration.mm_per_px is None or calibration.rotation is None or calibration.translation is None:
        size = (calibration.width, calibration.height)
        x, y = cv2.initUndistortRectifyMap(matrix, distortion, np.eye(3), matrix, size, cv2.CV_32FC1)
    else:
        rows, columns = np.mgrid[0 : calibration.out_height, 0 : calibration.out_width].astype(np.float64)
        left, top = calibration.origin_mm
        scale = calibration.mm_per_px
        on_plane = np.column_stack([left + scale * columns.ravel(), top + scale * rows.ravel(), np.zeros(columns.size)])
        rotation, translation = np.array(calibration.rotation), np.array(calibration.translation)
        seen, _ = cv2.projectPoints(on_plane, rotation, translation, matrix, distortion)
        shape = (calibration.out_height, calibration.out_width)
        x, y = (np.asarray(seen[:, 0, axis].reshape(shape), np.float32) for axis in (0, 1))
    coarse, fine = cv2.convertMaps(x, y, cv2.CV_16SC2)
    return np.asarray(coarse, np.int16), np.asarray(fine, np.uint16)
