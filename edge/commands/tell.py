"""`edgeloupe tell`: give one device a signed command over MQTT, and print its answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from edge.topics import Verb

if TYPE_CHECKING:
    import argparse

    from edge.mqtt.link import Link

HELP = "give a device a command over MQTT: trigger, start, stop, snapshot and so on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from edge.commands.listen import add_broker_arguments

    parser.add_argument("device", metavar="DEVICE")
    parser.add_argument("verb", metavar="VERB", choices=get_args(Verb), help=", ".join(get_args(Verb)))
    parser.add_argument("--camera", help="which one; all of them unless told")
    parser.add_argument("--by", metavar="NAME", help="the operator who signs, as in the device's mqtt.operators")
    parser.add_argument("--key-file", type=Path, metavar="FILE", help="holds the operator's secret")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=JSON", help="a further field; repeatable")
    parser.add_argument(
        "--timeout", type=float, default=40.0, metavar="S", help="for the answer (default: %(default)s)"
    )
    add_broker_arguments(parser)


def run(args: argparse.Namespace) -> int:
    import json
    import secrets
    import time

    from edge.clock import SystemClock
    from edge.commands.listen import broker_of
    from edge.errors import ConfigError
    from edge.mqtt.broker import Message
    from edge.mqtt.command import FRESH_S, signature
    from edge.mqtt.link import connect
    from edge.topics import Topics

    correlation = secrets.token_hex(8)
    fields: dict[str, Any] = {"correlation": correlation, **_further(args.set)}
    if args.camera:
        fields["camera"] = args.camera
    if args.by:
        if args.key_file is None:
            raise ConfigError("--by: give the operator's secret with --key-file")
        fields |= {"by": args.by, "issued_at": time.time()}
        fields["signature"] = signature(_key(args.key_file), verb=args.verb, device=args.device, fields=fields)
    topics = Topics(prefix=args.prefix, device=args.device)
    broker = broker_of(args)
    with connect(broker, client_id=f"edgeloupe-tell-{correlation}", clock=SystemClock(), session_s=0) as link:
        link.subscribe(topics.reply(correlation))
        payload = json.dumps(fields).encode()
        link.publish(Message(topic=topics.command(args.verb), payload=payload, expiry_s=int(FRESH_S)))
        answer = _answer(link, args.timeout)
    print(json.dumps(answer))
    return 0 if answer.get("error") is None else 1


def _further(pairs: list[str]) -> dict[str, Any]:
    import json

    from edge.errors import ConfigError

    found = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            found[name] = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"--set {pair}: write FIELD=JSON, such as first_seq=1") from error
    return found


def _key(path: Path) -> bytes:
    from edge.config import OperatorConfig

    return OperatorConfig(key_file=path, verbs=[]).key()


def _answer(link: Link, timeout_s: float) -> dict[str, Any]:
    """Wait for the answer. Raises BrokerError."""
    import json
    import time

    from edge.errors import BrokerError

    until = time.monotonic() + timeout_s
    while (left_s := until - time.monotonic()) > 0:
        link.pump(left_s)
        while link.acks:
            refusal = link.acks.popleft().refusal
            if refusal:
                raise BrokerError(f"the broker refused the command: {refusal}: check its rules for this user")
        if link.inbox:
            told: dict[str, Any] = json.loads(link.inbox.popleft().payload)
            return told
    raise BrokerError(f"no answer within {timeout_s:.0f} s: is the device of this name online?")
