"""`edgeloupe listen`: every alert once, live, as lines or as JSON, or into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from edge.config import TlsConfig
    from edge.mqtt.broker import Broker

HELP = "print alerts as they come, each once, and ask devices for those that got lost"


def add_broker_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how to reach a broker."""
    parser.add_argument("--host", default="127.0.0.1", help="the broker (default: %(default)s)")
    parser.add_argument("--port", type=int, default=1883, help="its port (default: %(default)s)")
    parser.add_argument("--prefix", default="edgeloupe", help="first level of the topics (default: %(default)s)")
    parser.add_argument("--username", help="for the broker")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="holds the password for the broker")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="encrypt, and trust this authority (PEM)")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="to show to the broker (PEM)")
    parser.add_argument("--key", type=Path, metavar="FILE", help="of the certificate (PEM)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_broker_arguments(parser)
    parser.add_argument("--db", type=Path, metavar="FILE", help="remember what was printed, and go on from there")
    parser.add_argument(
        "--to",
        type=Path,
        metavar="FILE",
        help="write alerts into FILE.ndjson or FILE.sqlite, each once, and go on there",
    )
    parser.add_argument(
        "--since",
        choices=("now", "first"),
        default="now",
        help="from devices met for the first time: alerts from now on, or all they still keep (default: %(default)s)",
    )
    parser.add_argument("--count", type=int, metavar="N", help="stop after N alerts")
    parser.add_argument("--json", action="store_true", help="one whole message per line")


def broker_of(args: argparse.Namespace) -> Broker:
    """Take the broker from the arguments. Raises ConfigError."""
    from edge.config import MqttConfig
    from edge.mqtt.broker import Broker

    password = MqttConfig(password_file=args.password_file).password()
    return Broker(host=args.host, port=args.port, username=args.username, password=password, tls=_tls(args))


def _tls(args: argparse.Namespace) -> TlsConfig | None:
    from edge.config import TlsConfig

    if args.ca is None and args.certificate is None:
        return None
    return TlsConfig(ca=args.ca, certificate=args.certificate, key=args.key)


def run(args: argparse.Namespace) -> int:
    import contextlib
    import json
    import logging
    from itertools import islice

    from edge.alert_line import alert_line
    from edge.archive import archive
    from edge.consume import Consumer

    logging.basicConfig(level=logging.WARNING, format="edgeloupe: %(message)s")
    broker = broker_of(args)
    consumer = Consumer(
        args.host,
        args.port,
        args.prefix,
        db=args.db or (args.to.with_name(f"{args.to.name}.seen") if args.to else None),
        since=args.since,
        username=args.username,
        password=broker.password,
        tls=broker.tls,
    )
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:  # Ctrl-C is the way to end it
        book = stack.enter_context(archive(args.to)) if args.to else None
        stack.enter_context(consumer)
        consumer.connect()
        for alert in islice(consumer, args.count):
            if book is not None:
                book.add(alert)
            else:
                print(json.dumps(dict(alert.payload)) if args.json else alert_line(alert), flush=True)
            consumer.settle()
    return 0
