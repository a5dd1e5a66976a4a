"""`edgeloupe inspect`: one inspection per picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from edge.clock import Clock
    from edge.inspect import Inspector
    from edge.inspection import Inspection

HELP = "inspect pictures with a bundle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from edge.tiles.options import add_tile_options

    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURE", help="picture files, or folders of them")
    parser.add_argument("--json", action="store_true", help="print one result per line")
    parser.add_argument("--overlay", type=Path, metavar="DIR", help="write each picture with its regions drawn in")
    parser.add_argument("--masks", type=Path, metavar="DIR", help="write each class map as index PNG, picture size")
    parser.add_argument("--target", help="which of the bundle's targets (default: one that runs here)")
    parser.add_argument("--threads", type=int, default=0, help="0 leaves the number to the runtime")
    parser.add_argument("--min-score", type=float, default=0.5, help="regions below are ignored (default: %(default)s)")
    parser.add_argument("--min-area", type=int, default=50, metavar="PX", help="likewise (default: %(default)s)")
    parser.add_argument("--fail-on-notok", action="store_true", help="exit with 1 unless every picture is OK")
    add_tile_options(parser)


def run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from edge import payload
    from edge.bundle import open_bundle
    from edge.camera_config import PictureConfig
    from edge.clock import SystemClock
    from edge.config import RuleConfig
    from edge.errors import PictureError
    from edge.fitness.picture_check import PictureCheck
    from edge.inspect import Inspector
    from edge.inspection import Verdict
    from edge.segment import open_segmenter
    from edge.tiles.looks import open_looks
    from edge.tiles.options import read_tile_options

    how = read_tile_options(args)
    bundle, clock = open_bundle(args.bundle), SystemClock()
    rules = {bundle.manifest.focus: RuleConfig(min_score=args.min_score, min_area_px=args.min_area)}
    context = payload.Context.of(bundle, args.target, device="workshop", rules=rules)
    paths = _expand(args.pictures)
    width = max((len(path.name) for path in paths), default=0)
    unreadable, all_ok = 0, True
    with (
        open_segmenter(bundle, context.model.target, args.threads) as segmenter,
        open_looks(segmenter, bundle, {"archive": how}, rules) as looks,
    ):
        inspector = Inspector(looks["archive"], context.labels, rules, PictureCheck(PictureConfig()), clock)
        for number, path in enumerate(tqdm(paths, unit="picture", disable=None, leave=False), start=1):
            try:
                inspection = _inspect(inspector, path, number, clock, args)
            except PictureError as error:
                unreadable += 1
                print(f"edgeloupe: {error}", file=sys.stderr)
                continue
            all_ok &= inspection.verdict is Verdict.OK
            if args.json:
                print(json.dumps({"picture": str(path), **payload.result(inspection, context)}), flush=True)
            else:
                print(_line(path.name.ljust(width), inspection), flush=True)
    if unreadable:
        return 2
    return 1 if args.fail_on_notok and not all_ok else 0


def _inspect(inspector: Inspector, path: Path, number: int, clock: Clock, args: argparse.Namespace) -> Inspection:
    from edge.draw import write_mask, write_overlay
    from edge.frame import Frame
    from edge.picture import read_picture

    picture = read_picture(path)
    frame = Frame(
        camera="archive",
        id=number,
        picture=picture,
        captured_at=path.stat().st_mtime,
        captured_mono_s=clock.monotonic_s(),
        simulated=True,
    )
    inspection, mask = inspector.inspect(frame)
    if args.overlay:
        write_overlay(args.overlay / f"{path.stem}.jpg", picture, inspection)
    if args.masks and mask is not None:
        write_mask(args.masks / f"{path.stem}.png", mask)
    return inspection


def _expand(places: Sequence[Path]) -> list[Path]:
    from edge.picture import is_picture

    paths: list[Path] = []
    for place in places:
        paths += sorted(p for p in place.iterdir() if is_picture(p)) if place.is_dir() else [place]
    return paths


def _line(name: str, inspection: Inspection) -> str:
    times = inspection.timings
    milliseconds = 1000 * (times.preprocess + times.inference + times.postprocess)
    return f"{name}  {inspection.verdict.name:<12}  {milliseconds:6.1f} ms  {'; '.join(inspection.reasons)}".rstrip()
