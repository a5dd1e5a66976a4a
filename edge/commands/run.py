"""`edgeloupe run`: the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "run the daemon: cameras in, verdicts and alerts out"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from edge.config import DEFAULT_PATH

    parser.add_argument(
        "-c", "--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help="configuration (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    from edge.child import log_to_stderr
    from edge.config import load_config
    from edge.daemon import Daemon

    config = load_config(args.config)
    log_to_stderr("edgeloupe")
    Daemon(config).run()
    return 0
