"""`edgeloupe listen`: every alert once, live, as lines or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

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

    from edge.alert_line import alert_line
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
            print(json.dumps(dict(alert.payload)) if args.json else alert_line(alert), flush=True)
            consumer.settle()
    return 0
