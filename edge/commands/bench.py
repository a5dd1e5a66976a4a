"""`edgeloupe bench`: the whole pipeline against the bare runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "measure the whole pipeline against the bare runtime, as ratios"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--source", metavar="URL", help="measure this camera instead of the pictures that ship")
    parser.add_argument("--frames", type=int, default=200, help="per row (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of the runtime (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from edge.bench import bench
    from edge.demo.appliance import PICTURES
    from edge.machine import processor
    from edge.table import table

    rows = bench(args.bundle, pictures=PICTURES, source=args.source, frames=args.frames, threads=args.threads)
    if args.json:
        print(json.dumps({"machine": processor(), "threads": args.threads, "rows": [asdict(row) for row in rows]}))
        return 0
    print(f"{processor()}, {args.threads} thread(s), {args.frames} frames per row, medians")
    head = ["frames from", "bare CPU ms", "whole CPU ms", "ratio", *rows[0].stages_ms]
    cells = [
        [
            row.frames_from,
            f"{row.raw_cpu_ms:.2f}",
            f"{row.pipeline_cpu_ms:.2f}",
            f"{row.cpu_ratio:.2f}",
            *(f"{ms:.2f} ms" for ms in row.stages_ms.values()),
        ]
        for row in rows
    ]
    print(table(head, cells))
    return 0
