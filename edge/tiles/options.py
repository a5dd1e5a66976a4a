"""Tile options: region of interest, tiles and cascade on the command line, read as a configuration's are."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from edge.errors import ConfigError
from edge.strict_yaml import loads
from edge.tile_config import TilingConfig

if TYPE_CHECKING:
    import argparse


def add_tile_options(parser: argparse.ArgumentParser) -> None:
    """Let a command say how large pictures are looked at."""
    group = parser.add_argument_group("large pictures")
    group.add_argument(
        "--tiles", nargs="?", const="", metavar="WxH", help="look at overlapping tiles (default: of the network's size)"
    )
    group.add_argument("--overlap", type=float, metavar="SHARE", help="of neighbouring tiles (default: 0.2)")
    group.add_argument("--whole", action="store_true", help="with tiles: look at the reduced picture, too")
    group.add_argument("--roi", metavar="X,Y,W,H", help="look at this part only; or corners of a polygon, X,Y,X,Y,X,Y…")
    group.add_argument(
        "--cascade",
        nargs="?",
        const=0.9,
        type=float,
        metavar="SCORE",
        help="look at the reduced picture first, at tiles only where it shows something or scores below (%(const)s)",
    )


def read_tile_options(args: argparse.Namespace) -> TilingConfig:
    """Read them. Raises ConfigError."""
    asked: dict[str, object] = {}
    if args.tiles is not None:
        size = {"size": _numbers(args.tiles)} if args.tiles else {}
        overlap = {} if args.overlap is None else {"overlap": args.overlap}
        asked["tiles"] = {"whole": args.whole, **size, **overlap}
    elif args.overlap is not None or args.whole:
        raise ConfigError("--overlap and --whole: are of tiles: add --tiles")
    if args.roi:
        numbers = _numbers(args.roi)
        asked["roi"] = numbers if len(numbers) == 4 else [numbers[at : at + 2] for at in range(0, len(numbers), 2)]
    if args.cascade is not None:
        asked["cascade"] = {"unsure_below": args.cascade}
    return loads(json.dumps(asked), "options", TilingConfig)


def _numbers(text: str) -> list[int]:
    if not re.fullmatch(r"\d+([x, ]\d+)*", text):
        raise ConfigError(f"{text!r}: give whole numbers, such as 640x480 or 0,0,640,480")
    return [int(number) for number in re.findall(r"\d+", text)]
