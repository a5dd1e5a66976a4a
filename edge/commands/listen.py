"""`edgeloupe listen`: every alert once, live, as lines or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from edge.consume import Alert

HELP = "print alerts as they come, each once, and ask devices for those that got lost"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="the broker (default: %(default)s)")
    parser.add_argument("--port", type=int, default=1883, help="its port (default: %(default)s)")
    parser.add_argument("--prefix", default="edgeloupe", help="first level of the topics (default: %(default)s)")
    parser.add_argument("--username", help="for the broker")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="holds the password for the broker")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="encrypt, and trust this authority (PEM)")
    parser.add_argument("--db", type=Path, metavar="FILE", help="remember what was printed, and go on from there")
    parser.add_argument(
        "--since",
        choices=("now", "first"),
        default="now",
        help="from devices met for the first time: alerts from now on, or all they still keep (default: %(default)s)",
    )
    parser.add_argument("--count", type=int, metavar="N", help="stop after N alerts")
    parser.add_argument("--json", action="store_true", help="one whole message per line")


def run(args: argparse.Namespace) -> int:
    import contextlib
    import json
    import logging
    from itertools import islice

    from edge.config import MqttConfig, TlsConfig
    from edge.consume import Consumer

    logging.basicConfig(level=logging.WARNING, format="edgeloupe: %(message)s")
    consumer = Consumer(
        args.host,
        args.port,
        args.prefix,
        db=args.db,
        since=args.since,
        username=args.username,
        password=MqttConfig(password_file=args.password_file).password(),
        tls=TlsConfig(ca=args.ca) if args.ca else None,
    )
    with contextlib.suppress(KeyboardInterrupt), consumer:  # Ctrl-C is the way to end it
        consumer.connect()
        for alert in islice(consumer, args.count):
            print(json.dumps(dict(alert.payload)) if args.json else line(alert), flush=True)
            consumer.settle()
    return 0


def line(alert: Alert) -> str:
    """Write one alert as an aligned line: time, where, verdict, type, what, area, seq."""
    told = alert.payload
    regions = [region for region in _list(told.get("regions")) if isinstance(region, dict)]
    reasons = _list(told.get("reasons"))
    labels = dict.fromkeys(str(region.get("label")) for region in regions)
    cells = (
        str(told.get("creation_time", ""))[:23].ljust(23),
        f"{alert.device}/{alert.camera}".ljust(20),
        str(told.get("result_evaluation", "")).ljust(12),
        str(told.get("type", "")).ljust(6),
        str(reasons[0] if reasons else ", ".join(labels)).ljust(40),
        f"{_area(regions)} px".rjust(12),
        f"seq {alert.seq}",
    )
    return "  ".join("".join(c if c.isprintable() else "?" for c in cell) for cell in cells)


def _area(regions: Sequence[Mapping[str, Any]]) -> int:
    return sum(area for region in regions if isinstance(area := region.get("area_px"), int))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
