"""Command: what somebody asks of the device on `cmd/<verb>`, and whether they may."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from edge.errors import EdgeloupeError
from edge.topics import Verb, is_correlation, is_publishable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.config import MqttConfig
    from edge.mqtt.broker import Received
    from edge.topics import Topics

VERBS: tuple[Verb, ...] = get_args(Verb)
FRESH_S = 60.0
"""A signed command is refused when the device's clock says that it is older, or that it comes from the future."""
MOST_BYTES = 16_384
ANYONE = "*"
"""Who asks without a signature; no operator can be called so."""


class RefusedError(EdgeloupeError):
    """A command is not carried out; the text says why, and is sent back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command that is allowed; to be carried out by the core."""

    verb: Verb
    who: str  # the operator who signed it; `ANYONE` for verbs that are open
    camera: str | None  # None: all of them
    fields: Mapping[str, Any]  # the whole message
    correlation: str
    reply_topic: str | None
    data: bytes | None  # MQTT 5's correlation data, to be sent back
    number: int = 0  # of its row in the audit


def signature(key: bytes, *, verb: str, device: str, fields: Mapping[str, Any]) -> str:
    """Sign a command: HMAC-SHA-256 over its fields, verb and device as canonical JSON, in hexadecimal digits."""
    told = {**{name: value for name, value in fields.items() if name != "signature"}, "verb": verb, "device": device}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hmac.new(key, text.encode("ascii"), hashlib.sha256).hexdigest()


def read_fields(payload: bytes) -> dict[str, Any]:
    """Read a command's JSON object; nothing at all is an empty one. Raises RefusedError."""
    if len(payload) > MOST_BYTES:
        raise RefusedError(f"larger than {MOST_BYTES} bytes")
    try:
        fields = json.loads(payload or b"{}")
    except (ValueError, RecursionError) as error:
        raise RefusedError("not JSON") from error
    if not isinstance(fields, dict):
        raise RefusedError("not a JSON object")
    return fields


def authorise(
    verb: Verb, device: str, fields: Mapping[str, Any], config: MqttConfig, keys: Mapping[str, bytes], now_s: float
) -> str:
    """Give who asks, if they may. Raises RefusedError.

    A verb in `mqtt.open_commands` needs no signature: the broker's own rules say who may publish it.
    """
    name = fields.get("by")
    if name is None:
        if verb in config.open_commands:
            return ANYONE
        raise RefusedError(f"{verb} must be signed by an operator: see mqtt.operators")
    operator = config.operators.get(name) if isinstance(name, str) else None
    given, issued_at = fields.get("signature"), fields.get("issued_at")
    if operator is None or not isinstance(given, str) or not isinstance(issued_at, int | float):
        raise RefusedError("wrong signature")
    try:
        right = signature(keys[str(name)], verb=verb, device=device, fields=fields)
    except ValueError as error:
        raise RefusedError("wrong signature") from error
    if not hmac.compare_digest(right.encode(), given.encode("utf-8", "replace")):
        raise RefusedError("wrong signature")
    if verb not in operator.verbs:
        raise RefusedError(f"{name} may not {verb}")
    if not abs(now_s - issued_at) <= FRESH_S:
        raise RefusedError(
            f"issued {now_s - issued_at:.0f} s ago by this device's clock: sign it anew, or set the clock"
        )
    if not is_correlation(fields.get("correlation")):
        raise RefusedError("a signed command needs a correlation of 1 to 64 letters, digits, _ or -")
    return str(name)


def camera_of(fields: Mapping[str, Any], cameras: Sequence[str]) -> str | None:
    """Give the camera that is meant, None for all. Raises RefusedError."""
    camera = fields.get("camera")
    if camera is not None and camera not in cameras:
        raise RefusedError(f"no such camera: there are {', '.join(cameras)}")
    return camera


def correlation_of(received: Received, fields: Mapping[str, Any]) -> str:
    """Give what ties the reply to the command, empty when there is nothing fit for it."""
    data = received.correlation
    found = data.decode("ascii", "replace") if data is not None else fields.get("correlation")
    return str(found) if is_correlation(found) else ""


def reply_topic_of(received: Received, topics: Topics, correlation: str, *reserved: str | None) -> str | None:
    """Give where the answer goes: MQTT 5's response topic, else `reply/<correlation>`; None when nobody asks for one.

    Topics below `reserved` prefixes are nobody's to choose: who may only ask must not speak through us.
    """
    topic = received.response_topic
    if topic is None:
        return topics.reply(correlation) if correlation else None
    ours = topic.startswith(f"{topics.root}/reply/")
    taken = any(topic == prefix or topic.startswith(f"{prefix}/") for prefix in reserved if prefix)
    return topic if is_publishable(topic) and (ours or not taken) else None
