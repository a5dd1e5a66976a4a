"""`edgeloupe bench`: the whole pipeline against the bare runtime, with memory, latency and growth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "measure the whole pipeline against the bare runtime, and what the running daemon costs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--source", metavar="URL", help="measure frames of this camera only")
    parser.add_argument(
        "--pictures", type=Path, metavar="DIR", help="what the clips are made of (default: those that ship)"
    )
    parser.add_argument("--frames", type=int, default=100, help="per row (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of the runtime (default: %(default)s)")
    parser.add_argument(
        "--full", action="store_true", help="also throughput and growth with cameras, viewers, regions, picture size"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots, too")


def run(args: argparse.Namespace) -> int:
    import os
    from dataclasses import asdict

    from edge.bench.html import html
    from edge.bench.parts import bench
    from edge.bench.site import Plan
    from edge.bench.text import text
    from edge.demo.appliance import PICTURES
    from edge.errors import ConfigError

    os.environ.setdefault("EDGELOUPE_LOG", "ERROR")  # of the daemons that are watched
    if args.html is not None and not os.access(args.html.resolve().parent, os.W_OK):
        raise ConfigError(f"--html {args.html}: give a file in a folder that can be written")
    plan = Plan(frames=max(args.frames, 10))
    report = bench(
        args.bundle,
        pictures=args.pictures or PICTURES,
        source=args.source,
        threads=args.threads,
        plan=plan.full() if args.full else plan,
        command=_command(args),
    )
    print(json.dumps(asdict(report)) if args.json else text(report))
    if args.html is not None:
        partial = args.html.with_name(f"{args.html.name}.partial")
        partial.write_text(html(report), encoding="utf-8")
        partial.replace(args.html)
    return 0


def _command(args: argparse.Namespace) -> str:
    """Write the command again, without where files lie."""
    words = ["edgeloupe bench", args.bundle.name, f"--frames {args.frames} --threads {args.threads}"]
    words += [f"--source {args.source}"] if args.source else []
    return " ".join([*words, "--full"] if args.full else words)
