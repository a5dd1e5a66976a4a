from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import MqttConfig, OperatorConfig
from edge.mqtt.broker import Received
from edge.mqtt.command import ANYONE, RefusedError, authorise, read_fields, reply_topic_of, signature
from edge.topics import Topics

KEYS = {"anna": b"a secret of sixteen", "bert": b"another long secret"}
CONFIG = MqttConfig(
    operators={
        "anna": OperatorConfig(key_file=Path("a"), verbs=["stop", "start"]),
        "bert": OperatorConfig(key_file=Path("b"), verbs=["snapshot"]),
    }
)
NOW = 1_800_000_000.0
TOPICS = Topics(prefix="edgeloupe", device="line3")


def signed(who: str = "anna", verb: str = "stop", device: str = "line3", **more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"by": who, "issued_at": NOW, "correlation": "c1", **more}
    return {**fields, "signature": signature(KEYS[who], verb=verb, device=device, fields=fields)}


def ask(fields: dict[str, Any], now_s: float = NOW) -> str:
    return authorise("stop", "line3", fields, CONFIG, KEYS, now_s)


def test_a_signed_command_of_somebody_who_may_is_allowed() -> None:
    assert ask(signed()) == "anna"
    assert ask(json.loads(json.dumps(signed(camera="belt", note="Fleck größer, \ud83d")))) == "anna"


def test_replay_is_open_unless_it_is_taken_off_the_list() -> None:
    assert authorise("replay", "line3", {}, CONFIG, KEYS, NOW) == ANYONE
    closed = MqttConfig(open_commands=[])
    with pytest.raises(RefusedError, match="replay must be signed"):
        authorise("replay", "line3", {}, closed, {}, NOW)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "stop must be signed"),
        ({"by": "anna"}, "wrong signature"),
        ({"by": ["anna"], "issued_at": NOW, "signature": ""}, "wrong signature"),
        ({**signed(), "camera": "belt"}, "wrong signature"),  # changed after signing
        (signed(verb="start"), "wrong signature"),  # signed for something else
        (signed(device="line4"), "wrong signature"),  # signed for somebody else
        ({**signed("bert"), "by": "anna"}, "wrong signature"),
        ({**signed(), "by": "carl"}, "wrong signature"),
        ({**signed(), "signature": "ü" * 64}, "wrong signature"),
        ({**signed(), "issued_at": float("nan")}, "wrong signature"),
        ({**signed(), "issued_at": "now"}, "wrong signature"),
        (signed("bert"), "bert may not stop"),
        (signed(issued_at=NOW - 61), "issued 61 s ago by this device's clock"),
        (signed(issued_at=NOW + 61), "issued -61 s ago"),
        (signed(correlation=None), "needs a correlation"),
        (signed(correlation="../state"), "needs a correlation"),
    ],
)
def test_what_is_not_signed_as_it_stands_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        ask(fields)


@given(payload=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_fields_or_refused(payload: bytes) -> None:
    try:
        assert isinstance(read_fields(payload), dict)
    except RefusedError as error:
        assert str(error)  # noqa: PT017 - either is right


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(fields=st.dictionaries(st.sampled_from(["by", "issued_at", "signature", "correlation", "camera"]), _JSON))
def test_no_made_up_fields_are_a_signature(fields: dict[str, Any]) -> None:
    fields["by"] = "anna"
    with pytest.raises(RefusedError):
        ask(fields)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (None, "edgeloupe/line3/reply/c1"),
        ("scada/answers", "scada/answers"),
        ("edgeloupe/line3/reply/other", "edgeloupe/line3/reply/other"),
        ("edgeloupe/line4/state", None),
        ("edgeloupe/line3/cmd/stop", None),
        ("homeassistant/device/x/config", None),
        ("edgeloupe", None),
        ("$SYS/x", None),
        ("a/#", None),
    ],
)
def test_nobody_may_speak_through_us_where_devices_speak(asked: str | None, given: str | None) -> None:
    received = Received(topic="t", payload=b"", retain=False, mid=1, qos=1, response_topic=asked)
    assert reply_topic_of(received, TOPICS, "c1", "edgeloupe", "homeassistant") == given
