"""`edgeloupe demo`: everything on this machine, real pictures, a broker of its own, the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "show the whole appliance on this machine with the pictures and the model that ship"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, help="of the dashboard (default: 8080, or a free one where that is taken)")
    parser.add_argument("--source", help="another camera than the belt, such as v4l2:/dev/video0")
    parser.add_argument("--broker", choices=("mosquitto", "amqtt"), help="(default: mosquitto where it is installed)")
    parser.add_argument("--seconds", type=float, help="stop by itself after so long")


def run(args: argparse.Namespace) -> int:
    from edge.demo.stage import Stage

    Stage(port=args.port, source=args.source, seconds=args.seconds, broker=args.broker).run()
    return 0
