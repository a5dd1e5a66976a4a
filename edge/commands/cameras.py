"""`edgeloupe cameras`: what is attached, what it can, and one picture of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from edge.attached import Found
    from edge.camera_config import CameraConfig

HELP = "list attached cameras with their formats and controls, or take one picture"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("camera", nargs="?", help="a source such as v4l2:/dev/video0, or with -c a camera's name")
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="configuration with the camera's settings")
    parser.add_argument("--snapshot", type=Path, metavar="FILE", help="write one picture of CAMERA as PNG or JPEG")
    parser.add_argument("--raw", action="store_true", help="the picture before geometry and light are corrected")
    parser.add_argument("--json", action="store_true", help="print one JSON list")


def run(args: argparse.Namespace) -> int:
    from edge.attached import attached
    from edge.errors import ConfigError

    if args.snapshot is not None:
        if args.camera is None:
            raise ConfigError("cameras: --snapshot needs to know of which camera: name a source or a camera")
        return _snapshot(_camera(args), args.snapshot, raw=args.raw)
    found = [one for one in attached() if args.camera in (None, one.source)]
    if args.json:
        print(json.dumps([one.told() for one in found]))
    else:
        print("\n".join(_lines(found)) or "no camera is attached that this user may see")
    return 0 if found else 1


def _camera(args: argparse.Namespace) -> CameraConfig:
    from pydantic import ValidationError

    from edge.camera_config import CameraConfig
    from edge.config import load_config
    from edge.errors import ConfigError

    if args.config is not None:
        known = load_config(args.config).cameras
        if args.camera not in known:
            raise ConfigError(f"{args.config}: has no camera {args.camera}: it has {', '.join(known)}")
        return known[args.camera]
    try:
        return CameraConfig(source=args.camera)
    except ValidationError as error:
        raise ConfigError(f"{args.camera}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error


def _snapshot(camera: CameraConfig, path: Path, *, raw: bool) -> int:
    from edge.capture.snapshot import snapshot, write_picture

    picture = snapshot(camera, straighten=not raw)
    write_picture(picture, path)
    print(f"{path}: {picture.shape[1]}x{picture.shape[0]}")
    return 0


def _lines(found: list[Found]) -> list[str]:
    lines = []
    for one in found:
        lines.append(f"{one.source}  {one.name}")
        lines += [f"  {form}" for form in one.formats]
        lines += [f"  {control}" for control in one.controls]
    return lines
