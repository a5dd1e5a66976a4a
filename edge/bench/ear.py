"""Ear: a subscriber in a process of its own, which notes when each alert arrives."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.child import become_child
from edge.clock import SystemClock
from edge.errors import BrokerError
from edge.mqtt.broker import Broker, Message
from edge.mqtt.link import connect
from edge.supervise import SPAWN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from edge.mqtt.link import Link

_START_S = 30.0
_ECHO, _ECHOES, _ECHO_S = "edgeloupe-bench/echo", 200, 5.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One alert."""

    seq: int
    frame_id: int
    age_s: float  # of the frame when the verdict was made
    inference_s: float
    at_mono_s: float


@contextmanager
def listening(port: int) -> Iterator[Connection]:
    """Listen until left. Raises BrokerError.

    Through the connection comes first how many seconds messages to the broker and back took, then alerts as `Heard`.
    """
    ours, theirs = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=_listen, args=(port, theirs), name="bench ear", daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(_START_S):
            raise BrokerError(f"127.0.0.1:{port}: the subscriber could not connect: is the broker alive?")
        yield ours
    except EOFError as error:
        raise BrokerError(f"127.0.0.1:{port}: the subscriber lost the broker") from error
    finally:
        process.terminate()
        process.join(5.0)
        ours.close()


def _echo_s(link: Link) -> float:
    """Send a message to ourselves, and say how many seconds it took. Raises BrokerError."""
    began = time.monotonic()
    link.publish(Message(topic=_ECHO, payload=b"x" * 700))
    while not link.inbox and time.monotonic() - began < _ECHO_S:
        link.pump(_ECHO_S)
    link.inbox.clear()
    return time.monotonic() - began


def _listen(port: int, told: Connection) -> None:
    become_child("edgeloupe bench ear")
    broker = Broker(host="127.0.0.1", port=port)
    with connect(broker, client_id="bench-ear", clock=SystemClock(), session_s=0) as link:
        link.subscribe("edgeloupe/bench/+/alert", _ECHO)
        told.send([_echo_s(link) for _ in range(_ECHOES)])
        while True:
            link.pump(1.0)
            now = time.monotonic()
            while link.inbox:
                alert = json.loads(link.inbox.popleft().payload)
                frame, inference_s = alert["frame"], alert["processing_times"]["inference"]
                told.send(Heard(alert["seq"], frame["id"], frame["age_s"], inference_s, now))
