"""Lens, plane and millimetres, on pictures whose truth is known."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.camera_config import GeometryConfig
from edge.cli import main
from edge.errors import CameraError, ConfigError, PictureError
from edge.geometry import calibration
from edge.geometry.board import Board
from edge.geometry.straighten import Geometry
from edge.picture import read_picture
from tests.boards import MATRIX, PLANE, PLANE_PX_PER_MM, SIZE, render, views

if TYPE_CHECKING:
    from edge.geometry.board import Sighting
    from edge.geometry.calibration import Calibration
    from edge.picture import Picture

PHOTOGRAPHS = Path(__file__).parents[2] / "data" / "boards"
CHARUCO = Board.parse("charuco:9x6:22:16")


@cache
def shown(board: Board) -> list[Picture]:
    return views(board, 8)


def see(board: Board) -> tuple[list[Sighting], Sighting]:
    seen = [board.see(picture) for picture in shown(board)]
    plane = board.see(render(board.draw(), PLANE))
    assert plane is not None
    return [one for one in seen if one is not None], plane


@pytest.fixture(scope="module")
def made() -> Calibration:
    sightings, plane = see(CHARUCO)
    return calibration.calibrate(sightings, plane=plane, size=SIZE)


@pytest.mark.parametrize("form", ["charuco:9x6:22:16", "chess:9x6:22", "aruco:6x4:24:8"])
def test_a_board_gives_the_lens_that_it_was_rendered_with(form: str) -> None:
    sightings, plane = see(Board.parse(form))
    found = calibration.calibrate(sightings, plane=plane, size=SIZE)
    assert found.error_px <= 0.3
    assert np.allclose(np.array(found.matrix)[[0, 1], [0, 1]], MATRIX[[0, 1], [0, 1]], rtol=0.01)


def test_real_photographs_of_a_checkerboard_are_met_within_a_third_of_a_pixel() -> None:
    board = Board.parse("chess:10x7:25")  # OpenCV's own samples, of a camera that nobody here has seen
    seen = [board.see(read_picture(path)) for path in sorted(PHOTOGRAPHS.glob("left*.jpg"))]
    sightings = [one for one in seen if one is not None]
    assert len(sightings) == 9
    found = calibration.calibrate(sightings, plane=None, size=(640, 480))
    assert found.error_px <= 0.3
    assert np.isclose(found.matrix[0][0], found.matrix[1][1], rtol=0.005), "its pixels are square"


def test_a_real_photograph_of_a_charuco_board_is_met_within_a_third_of_a_pixel() -> None:
    board = Board.parse("charuco:5x7:40:20:DICT_6X6_250")
    seen = board.see(read_picture(PHOTOGRAPHS / "choriginal.jpg"))
    assert seen is not None
    assert len(seen.on_board_mm) == 24, "all there are"
    flat = seen.on_board_mm[:, :2]  # one view fixes no lens, but its corners lie on a plane
    to_picture, _ = cv2.findHomography(flat, seen.in_picture_px)
    put = cv2.perspectiveTransform(flat[None].astype(np.float64), to_picture)[0]
    assert float(np.linalg.norm(put - seen.in_picture_px, axis=1).mean()) <= 0.3


def test_a_defect_measures_the_same_all_over_the_field(made: Calibration, tmp_path: Path) -> None:
    calibration.save(made, tmp_path / "c.json")
    geometry = Geometry(GeometryConfig(calibration=tmp_path / "c.json"))
    scale = geometry.mm_per_px
    assert scale is not None
    length_mm, width_mm = 24.0, 16.0
    plane = np.full((132 * PLANE_PX_PER_MM, 198 * PLANE_PX_PER_MM), 230, np.uint8)
    for x in range(6, 170, 32):
        for y in range(6, 110, 24):
            left, top = x * PLANE_PX_PER_MM, y * PLANE_PX_PER_MM
            plane[top : top + round(width_mm * PLANE_PX_PER_MM), left : left + round(length_mm * PLANE_PX_PER_MM)] = 0
    straight = geometry.apply(render(plane, PLANE))[..., 0].astype(np.float64)
    covered = np.clip((_PALE - straight) / (_PALE - _DARK), 0, 1)  # by share, or whole pixels alone would err by 2 %
    count, _, stats, _ = cv2.connectedComponentsWithStats((covered > 0.5).astype(np.uint8))
    areas = [_around(covered, stats[number]) * scale**2 for number in range(1, count) if stats[number, 4] < 5000]
    assert len(areas) == 30
    assert max(abs(area / (length_mm * width_mm) - 1) for area in areas) <= 0.02


_PALE, _DARK = 20 + 0.8 * 230, 20.0  # as rendered


def _around(covered: np.ndarray, stats: np.ndarray) -> float:
    x, y, width, height = (int(value) for value in stats[:4])
    return float(covered[y - 4 : y + height + 4, x - 4 : x + width + 4].sum())


def test_what_is_saved_is_read_back(made: Calibration, tmp_path: Path) -> None:
    calibration.save(made, tmp_path / "c.json")
    again = calibration.load(tmp_path / "c.json")
    assert again.matrix == made.matrix
    assert again.mm_per_px == made.mm_per_px


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": "other"}'])
def test_a_file_that_is_no_calibration_is_one_helpful_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="is no calibration"):
        calibration.load(tmp_path / "c.json")
    with pytest.raises(ConfigError, match="make one with"):
        calibration.load(tmp_path / "none.json")


def test_a_picture_of_another_size_is_refused(made: Calibration, tmp_path: Path) -> None:
    calibration.save(made, tmp_path / "c.json")
    geometry = Geometry(GeometryConfig(calibration=tmp_path / "c.json"))
    with pytest.raises(CameraError, match="was made from pictures of 856x480, the camera gives 640x480"):
        geometry.apply(np.zeros((480, 640, 3), np.uint8))


def test_too_few_views_are_refused() -> None:
    with pytest.raises(PictureError, match="at least 6 are needed"):
        calibration.calibrate([], plane=None, size=SIZE)


@pytest.mark.parametrize(
    "form",
    [
        "",
        "chess:2x2:5",
        "charuco:7x5:30",
        "charuco:7x5:20:30",
        "aruco:5x4:30:6:DICT_NONE",
        "chess:61x9:5",
        "chess:9x6:0",
        "aruco:9x6:30:6",
        "chess:9999999999x9:5",
    ],
)
def test_a_board_that_can_not_be_is_refused(form: str) -> None:
    with pytest.raises(ConfigError, match="board"):
        Board.parse(form)


def test_the_command_measures_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, picture in enumerate(shown(CHARUCO)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    cv2.imwrite(str(tmp_path / "plane.png"), render(CHARUCO.draw(), PLANE))
    cv2.imwrite(str(tmp_path / "9.png"), np.full((SIZE[1], SIZE[0], 3), 128, np.uint8))
    pictures = sorted(str(path) for path in tmp_path.glob("[0-9].png"))
    output = str(tmp_path / "c.json")
    plane = str(tmp_path / "plane.png")
    assert main(["calibrate-camera", "charuco:9x6:22:16", *pictures, "--plane", plane, "-o", output]) == 0
    told = capsys.readouterr()
    assert "mean reprojection error 0." in told.out
    assert "mm per pixel" in told.out
    assert "9.png: the board is not seen: left out" in told.err


def test_the_command_leads_through_a_camera(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = [picture for picture in shown(CHARUCO) for _ in range(5)] + [render(CHARUCO.draw(), PLANE)] * 5
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, picture in enumerate(held):
        cv2.imwrite(str(folder / f"{number:03}.jpg"), picture)
    command = ["calibrate-camera", "charuco:9x6:22:16", "--source", f"file:{folder}", "--views", "8"]
    assert main([*command, "-o", str(tmp_path / "c.json")]) == 0
    told = capsys.readouterr().out
    assert "0 of 8: hold the board" in told
    assert "last: lay the board where parts will lie" in told
    assert calibration.load(tmp_path / "c.json").error_px <= 0.3


def test_the_board_can_be_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate-camera", "chess:9x6:25", "--print", str(tmp_path / "b.png")]) == 0
    assert "measures 225 x 150 mm" in capsys.readouterr().out
    assert read_picture(tmp_path / "b.png").shape[:2] == (1200, 1800)


@pytest.mark.parametrize("form", ["charuco:9x6:22:16", "chess:9x6:22.5", "aruco:6x4:24:8:DICT_6X6_250"])
def test_a_board_is_written_as_it_is_read(form: str) -> None:
    assert str(Board.parse(form)) == form


def test_the_board_is_printed_in_true_size(tmp_path: Path) -> None:
    assert main(["calibrate-camera", "chess:9x6:25", "--print", str(tmp_path / "b.svg")]) == 0
    drawn = (tmp_path / "b.svg").read_text(encoding="utf-8")
    assert 'width="245mm" height="182mm" viewBox="0 0 245 182"' in drawn
    assert drawn.count("h25v25h-25z") == 27, "half of 54 squares"
