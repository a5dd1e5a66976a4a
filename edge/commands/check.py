"""`edgeloupe check`: is the configuration right, and do cameras, broker and model work?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "validate the configuration and try model, cameras and broker"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from edge.config import DEFAULT_PATH

    parser.add_argument(
        "-c", "--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help="configuration (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    from edge.check import check
    from edge.config import load_config

    findings = check(load_config(args.config))
    faults = [finding for finding in findings if finding.fault]
    if args.json:
        rows = [{"what": f.what, "ok": not f.fault, "detail": f.detail} for f in findings]
        print(json.dumps({"ok": not faults, "checks": rows}))
    else:
        print(f"{args.config}: is valid")
        width = max(len(finding.what) for finding in findings)
        for finding in findings:
            print(f"{'FAULT' if finding.fault else 'ok   '}  {finding.what.ljust(width)}  {finding.detail}")
    return 1 if faults else 0
