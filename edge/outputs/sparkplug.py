"""Sparkplug: write the payloads of Sparkplug B, version 3.0.0, as its protobuf definition lays them out.

The definition is https://github.com/eclipse-sparkplug/sparkplug (sparkplug_b.proto): a Payload has a timestamp (1),
metrics (2) and a sequence number (3); a Metric a name (1), timestamp (3), datatype (4), whether it is historical (5) or
null (7), and one value (10 int, 11 long, 13 double, 14 boolean, 15 string). Protobuf's wire format is that of
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

MessageType = Literal["NBIRTH", "NDEATH", "NDATA", "NCMD", "DBIRTH", "DDEATH", "DDATA"]
INT32, INT64, UINT64, DOUBLE, BOOLEAN, STRING = 3, 4, 8, 10, 11, 12
"""Data types, table 14 of the specification."""

_VARINT, _FIXED64, _BYTES = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One value with its name; the type follows from the value, None needs `datatype`."""

    name: str
    value: bool | int | float | str | None
    timestamp_ms: int
    datatype: int | None = None
    is_historical: bool = False

    @property
    def kind(self) -> int:
        """The data type."""
        if self.datatype is not None:
            return self.datatype
        match self.value:
            case bool():
                return BOOLEAN
            case int():
                return INT64
            case float():
                return DOUBLE
            case _:
                return STRING


def topic(group: str, kind: MessageType, node: str, device: str | None = None) -> str:
    """Give where a message belongs: section 4 of the specification."""
    return f"spBv1.0/{group}/{kind}/{node}" + (f"/{device}" if device else "")


def payload(timestamp_ms: int, metrics: Iterable[Metric], seq: int | None) -> bytes:
    """Write a payload; only NDEATH has no sequence number."""
    parts = [_number(1, timestamp_ms)]
    parts += [_bytes(2, _metric(metric)) for metric in metrics]
    parts += [] if seq is None else [_number(3, seq)]
    return b"".join(parts)


def _metric(metric: Metric) -> bytes:
    parts = [_bytes(1, metric.name.encode()), _number(3, metric.timestamp_ms), _number(4, metric.kind)]
    parts += [_number(5, 1)] if metric.is_historical else []
    return b"".join([*parts, _number(7, 1) if metric.value is None else _value(metric)])


def _value(metric: Metric) -> bytes:
    match metric.kind, metric.value:
        case kind, int(value) if kind == INT32:
            return _number(10, value % (1 << 32))  # negative ones as two's complement, section 6.4.16
        case kind, int(value) if kind in (INT64, UINT64):
            return _number(11, value % (1 << 64))
        case kind, bool(value) if kind == BOOLEAN:
            return _number(14, int(value))
        case kind, int(value) | float(value) if kind == DOUBLE:
            return _key(13, _FIXED64) + struct.pack("<d", value)
        case _:
            return _bytes(15, str(metric.value).encode(errors="replace"))


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _number(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
