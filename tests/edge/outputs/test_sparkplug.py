from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from edge.outputs.sparkplug import DOUBLE, INT32, Metric, payload, topic


def parsed(data: bytes) -> list[tuple[int, int | bytes]]:
    """Take protobuf's wire format apart, as https://protobuf.dev/programming-guides/encoding tells it."""
    found: list[tuple[int, int | bytes]] = []
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            found.append((key >> 3, varint()))
            continue
        size = 8 if key & 7 == 1 else varint()
        found.append((key >> 3, data[at : at + size]))
        at += size
    return found


def only_metric(metric: Metric) -> dict[int, int | bytes]:
    fields = dict(parsed(payload(5, [metric], 0)))
    inner = fields[2]
    assert isinstance(inner, bytes)
    return dict(parsed(inner))


def test_the_smallest_payloads_are_the_bytes_of_the_definition() -> None:
    assert payload(1, [], 0) == b"\x08\x01\x18\x00"
    assert payload(300, [], None) == b"\x08\xac\x02"
    assert payload(1, [Metric(name="a", value=True, timestamp_ms=1)], 1) == (
        b"\x08\x01\x12\x09\x0a\x01a\x18\x01\x20\x0b\x70\x01\x18\x01"
    )


def test_topics_are_those_of_the_specification() -> None:
    assert topic("plant", "NBIRTH", "line-3") == "spBv1.0/plant/NBIRTH/line-3"
    assert topic("plant", "DDATA", "line-3", "belt") == "spBv1.0/plant/DDATA/line-3/belt"


def test_what_is_not_known_is_null_and_keeps_its_type() -> None:
    assert only_metric(Metric(name="x", value=None, timestamp_ms=1, datatype=DOUBLE)) == {1: b"x", 3: 1, 4: 10, 7: 1}


def test_negative_numbers_are_twos_complement_of_their_width() -> None:
    assert only_metric(Metric(name="x", value=-1, timestamp_ms=1))[11] == (1 << 64) - 1
    assert only_metric(Metric(name="x", value=-2, timestamp_ms=1, datatype=INT32))[10] == (1 << 32) - 2


@given(
    st.text(), st.one_of(st.booleans(), st.integers(-(1 << 63), (1 << 63) - 1), st.floats(allow_nan=False), st.text())
)
def test_every_value_comes_back(name: str, value: bool | float | str) -> None:  # noqa: FBT001 - hypothesis calls
    fields = only_metric(Metric(name=name, value=value, timestamp_ms=7, is_historical=True))
    assert fields[1] == name.encode("utf-8", "replace")
    assert fields[5] == 1
    match value:
        case bool():
            assert (fields[4], fields[14]) == (11, int(value))
        case int():
            assert (fields[4], fields[11]) == (4, value % (1 << 64))
        case float():
            assert (fields[4], fields[13]) == (10, struct.pack("<d", value))
        case str():
            assert (fields[4], fields[15]) == (12, value.encode("utf-8", "replace"))
