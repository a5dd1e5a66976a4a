"""Board: a printed target of known size, and where its corners are in a picture."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.picture import Picture

_FEWEST = 8
"""Corners in a picture that are worth something."""
_FORM = re.compile(r"(chess|charuco|aruco):(\d+)x(\d+):(\d+(?:\.\d+)?)(?::(\d+(?:\.\d+)?))?(?::(DICT_[A-Z0-9_]+))?")
_USUAL = "DICT_4X4_50"
_PX_PER_MM = 8
_MOST_SQUARES, _LARGEST_MM = 60, 1000.0


@dataclass(frozen=True, slots=True)
class Sighting:
    """The corners of a board that one picture shows."""

    on_board_mm: NDArray[np.float32]  # (N, 3), z is 0
    in_picture_px: NDArray[np.float32]  # (N, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A checkerboard, ChArUco board or grid of ArUco markers."""

    kind: str
    columns: int  # squares, or markers
    rows: int
    square_mm: float  # of a checkerboard; of aruco: the marker's side
    marker_mm: float  # charuco: the marker's side; aruco: the gap between two
    dictionary: str

    @classmethod
    def parse(cls, text: str) -> Board:
        """Read `chess:9x6:25`, `charuco:7x5:30:22[:DICT_4X4_50]` or `aruco:5x4:30:6`, in millimetres.

        Raises:
            ConfigError: it reads differently.
        """
        found = _FORM.fullmatch(text)
        if found is None or (found[1] != "chess" and found[5] is None):
            raise ConfigError(
                f"board {text}: write chess:9x6:25 (squares, mm), charuco:7x5:30:22 (squares, square and marker in mm) "
                "or aruco:5x4:30:6 (markers, side and gap in mm)"
            )
        board = cls(
            kind=found[1],
            columns=int(found[2]),
            rows=int(found[3]),
            square_mm=float(found[4]),
            marker_mm=float(found[5] or 0),
            dictionary=found[6] or _USUAL,
        )
        if min(board.columns, board.rows) < 3 or not hasattr(cv2.aruco, board.dictionary):
            raise ConfigError(f"board {text}: has at least 3 rows and columns and a dictionary of OpenCV's")
        if max(board.columns, board.rows) > _MOST_SQUARES or not 0 < board.square_mm <= _LARGEST_MM:
            raise ConfigError(f"board {text}: has at most {_MOST_SQUARES} rows and columns of up to {_LARGEST_MM:g} mm")
        if board.kind == "charuco" and board.marker_mm >= board.square_mm:
            raise ConfigError(f"board {text}: a marker is smaller than its square")
        board._check_dictionary(text)
        return board

    def __str__(self) -> str:
        """Write it as `parse` reads it."""
        rest = "" if self.kind == "chess" else f":{self.marker_mm:g}"
        named = "" if self.kind == "chess" or self.dictionary == _USUAL else f":{self.dictionary}"
        return f"{self.kind}:{self.columns}x{self.rows}:{self.square_mm:g}{rest}{named}"

    def find(self, grey: NDArray[np.uint8]) -> Sighting | None:
        """Find the corners in a grey picture; None when too few are seen."""
        if self.kind == "chess":
            return self._find_chess(grey)
        if self.kind == "charuco":
            corners, ids, _, _ = cv2.aruco.CharucoDetector(self._charuco()).detectBoard(grey)
            return _sighting(self._charuco(), corners, ids)
        exact = cv2.aruco.DetectorParameters()
        exact.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
        detector = cv2.aruco.ArucoDetector(self._dictionary(), exact)
        markers, ids, _ = detector.detectMarkers(grey)
        return _sighting(self._grid(), markers, ids)

    def see(self, picture: Picture) -> Sighting | None:
        """Find the corners in a picture, (H, W, 3) uint8 BGR; None when too few are seen."""
        return self.find(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8))

    def draw(self) -> NDArray[np.uint8]:
        """Draw the board to be printed, 8 pixels to the millimetre, without a margin."""
        width, height = (round(length * _PX_PER_MM) for length in self.size_mm)
        if self.kind == "chess":
            side = round(self.square_mm * _PX_PER_MM)
            rows, columns = np.indices((height, width)) // side
            return ((rows + columns) % 2 * 255).astype(np.uint8)
        board = self._charuco() if self.kind == "charuco" else self._grid()
        return np.asarray(board.generateImage((width, height), None, 0, 1), np.uint8)

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height of the printed board."""
        if self.kind == "aruco":
            step = self.square_mm + self.marker_mm
            return self.columns * step - self.marker_mm, self.rows * step - self.marker_mm
        return self.columns * self.square_mm, self.rows * self.square_mm

    def _find_chess(self, grey: NDArray[np.uint8]) -> Sighting | None:
        inner = (self.columns - 1, self.rows - 1)
        found, corners = cv2.findChessboardCornersSB(grey, inner, flags=cv2.CALIB_CB_ACCURACY)
        if not found:
            return None
        rows, columns = np.mgrid[0 : inner[1], 0 : inner[0]]
        flat = np.column_stack([columns.ravel() + 1, rows.ravel() + 1, np.zeros(rows.size)]) * self.square_mm
        return Sighting(flat.astype(np.float32), np.asarray(corners, np.float32).reshape(-1, 2))

    def _check_dictionary(self, text: str) -> None:
        needed = {"chess": 0, "charuco": self.columns * self.rows // 2, "aruco": self.columns * self.rows}[self.kind]
        there = len(self._dictionary().bytesList)
        if needed > there:
            raise ConfigError(f"board {text}: needs {needed} markers, {self.dictionary} has {there}: name a larger one")

    def markers(self) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
        """Give each marker's upper left and lower right corner in mm, (2, 2), and which of its modules are white."""
        if self.kind == "chess":
            return []
        board, dictionary = (self._charuco() if self.kind == "charuco" else self._grid()), self._dictionary()
        side = dictionary.markerSize + 2
        return [
            (np.asarray(corners, np.float64)[[0, 2], :2], dictionary.generateImageMarker(int(number), side) > 0)
            for corners, number in zip(board.getObjPoints(), np.ravel(board.getIds()), strict=True)
        ]

    def _dictionary(self) -> cv2.aruco.Dictionary:
        return cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, self.dictionary))

    def _charuco(self) -> cv2.aruco.CharucoBoard:
        size = (self.columns, self.rows)
        return cv2.aruco.CharucoBoard(size, self.square_mm, self.marker_mm, self._dictionary())

    def _grid(self) -> cv2.aruco.GridBoard:
        size = (self.columns, self.rows)
        return cv2.aruco.GridBoard(size, self.square_mm, self.marker_mm, self._dictionary())


def _sighting(board: cv2.aruco.CharucoBoard | cv2.aruco.GridBoard, corners: Any, ids: Any) -> Sighting | None:
    if ids is None or len(ids) == 0:
        return None
    on_board, in_picture = board.matchImagePoints(corners, ids)
    if on_board is None or len(on_board) < _FEWEST:
        return None
    flat = np.asarray(on_board, np.float32).reshape(-1, 3)
    if np.linalg.matrix_rank(flat[:, :2] - flat[:, :2].mean(axis=0), tol=1e-3) < 2:
        return None  # all in one line
    return Sighting(flat, np.asarray(in_picture, np.float32).reshape(-1, 2))
