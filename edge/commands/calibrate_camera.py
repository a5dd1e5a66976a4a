"""`edgeloupe calibrate-camera`: lens, plane and millimetres per pixel from pictures of a printed board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from edge.geometry.board import Board, Sighting
    from edge.geometry.calibration import Calibration

HELP = "measure a camera's lens and scale with a printed board"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "board", help="chess:9x6:25 (squares, mm), charuco:7x5:30:22 (squares, square and marker) or aruco:5x4:30:6"
    )
    parser.add_argument("pictures", nargs="*", type=Path, metavar="PICTURE", help="the board in different tilts")
    parser.add_argument("--plane", type=Path, metavar="PICTURE", help="the board lying where parts will lie: for mm")
    parser.add_argument("--source", help="take the pictures with this camera instead, guided")
    parser.add_argument("--views", type=int, default=12, help="how many to take (default: %(default)s)")
    parser.add_argument(
        "--print",
        type=Path,
        metavar="FILE",
        dest="sheet",
        help="write the board to print: SVG of true size, or PNG",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("calibration.json"), help="(default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    from edge.geometry.board import Board
    from edge.geometry.calibration import save

    board = Board.parse(args.board)
    if args.sheet is not None:
        return _print_board(board, args.sheet)
    calibration = _guided(board, args.source, args.views) if args.source else _from_files(board, args)
    save(calibration, args.output)
    print(f"lens: {calibration.views} views, mean reprojection error {calibration.error_px:.3f} px")
    if calibration.mm_per_px is not None:
        size = f"{calibration.out_width}x{calibration.out_height}"
        print(f"plane: {calibration.mm_per_px:.5f} mm per pixel, straightened to {size}")
    print(f"{args.output}: written; name it as cameras.NAME.geometry.calibration")
    return 0


def _print_board(board: Board, path: Path) -> int:
    import numpy as np

    from edge.capture.snapshot import write_picture
    from edge.geometry.sheet import svg

    if path.suffix.lower() == ".svg":
        path.write_text(svg(board), encoding="utf-8")
    else:
        write_picture(np.dstack([board.draw()] * 3), path)
    width, height = board.size_mm
    print(f"{path}: print it so that it measures {width:g} x {height:g} mm, on something flat and stiff")
    return 0


def _from_files(board: Board, args: argparse.Namespace) -> Calibration:
    import sys

    from tqdm import tqdm

    from edge.errors import PictureError
    from edge.geometry.calibration import calibrate
    from edge.picture import read_picture

    sightings: list[Sighting] = []
    size: tuple[int, int] | None = None
    plane: Sighting | None = None
    places = [*args.pictures, *([args.plane] if args.plane else [])]
    for path in tqdm(places, unit="picture", disable=None, leave=False):
        picture = read_picture(path)
        size = size or (picture.shape[1], picture.shape[0])
        if (picture.shape[1], picture.shape[0]) != size:
            raise PictureError(f"{path}: {picture.shape[1]}x{picture.shape[0]}, the first one is {size[0]}x{size[1]}")
        seen = board.see(picture)
        if path == args.plane:
            plane = seen
            if seen is None:
                raise PictureError(f"{path}: the board is not seen: it fixes the plane, take another")
        elif seen is None:
            print(f"edgeloupe: {path}: the board is not seen: left out", file=sys.stderr)
        else:
            sightings.append(seen)
    if size is None:
        raise PictureError("no pictures: name some, or a camera with --source")
    return calibrate(sightings, plane=plane, size=size)


def _guided(board: Board, source: str, views: int) -> Calibration:
    from edge.camera_config import CameraConfig
    from edge.capture.guide import Guide, look_through

    guide = Guide(board, views)
    for line in look_through(CameraConfig(source=source), guide):
        print(line, flush=True)
    return guide.calibrate()
