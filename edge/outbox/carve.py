"""Carve: the rows of a damaged outbox, read page by page (https://www.sqlite.org/fileformat2.html)."""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PAGE = 1024
"""Bytes per page of every outbox."""

_LEAF = 0x0D  # a leaf of a table, section 1.6
_LOCAL = PAGE - 35  # longest payload without overflow pages, section 1.6
_LEAST = (PAGE - 12) * 32 // 255 - 23
_FRAME = struct.Struct(">IIIIII")  # header of a frame of the log, section 4.2
_FIXED = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}  # bytes of whole numbers by serial type, section 2.1

Row = tuple[int, str, str, str, float, int, str, int | None]
"""As in the table: seq, camera, alert_id, type, committed_at, acked, payload, crc."""


def carve(path: Path, log: bytes) -> Iterator[Row]:
    """Give every alert that is whole in the database or in its write-ahead log, in no order, perhaps repeatedly.

    Needs neither an intact header nor an intact tree: leaves are recognised by their content. Raises OSError.
    """
    newer = _logged(log)
    with path.open("rb") as file:
        count = max(path.stat().st_size // PAGE, max(newer, default=0))

        def page(number: int) -> bytes:
            if number in newer:
                return newer[number]
            file.seek((number - 1) * PAGE)
            return file.read(PAGE)

        for number in range(1, count + 1):
            versions = [page(number)]
            if number in newer:  # a frame may be what was damaged
                file.seek((number - 1) * PAGE)
                versions.append(file.read(PAGE))
            for data in versions:
                for offset in _cells(data):
                    row = _row(data, offset, page, count)
                    if row is not None:
                        yield row


def is_intact(payload: str, crc: int | None) -> bool:
    """Say whether a payload is what was written; None: written before there were check sums."""
    return crc is None or zlib.crc32(payload.encode()) == crc


def _logged(log: bytes) -> Mapping[int, bytes]:
    """Give the newest page of each number in the log; frames of an earlier round have other salts."""
    pages: dict[int, bytes] = {}
    salts = log[16:24]
    for start in range(32, len(log) - _FRAME.size - PAGE + 1, _FRAME.size + PAGE):
        number = _FRAME.unpack_from(log, start)[0]
        if log[start + 8 : start + 16] == salts and number:
            pages[number] = log[start + _FRAME.size : start + _FRAME.size + PAGE]
    return pages


def _cells(data: bytes) -> list[int]:
    if len(data) < PAGE or data[0] != _LEAF:
        return []
    count = int.from_bytes(data[3:5], "big")
    pointers = data[8 : 8 + 2 * min(count, PAGE // 2)]
    return [at for (at,) in struct.iter_unpack(">H", pointers[: len(pointers) // 2 * 2]) if 8 < at < PAGE]


def _row(data: bytes, offset: int, page: Any, count: int) -> Row | None:
    """Read one cell; None unless everything in it fits together."""
    try:
        size, offset = _varint(data, offset)
        seq, offset = _varint(data, offset)
        record = _payload(data, offset, size, page, count)
        row = _columns(seq, record)
        told = json.loads(row[6])
    except (ValueError, IndexError, RecursionError):
        return None
    whole = isinstance(told, dict) and (told.get("camera"), told.get("alert_id"), told.get("type")) == row[1:4]
    return row if whole and is_intact(row[6], row[7]) and 0 < seq < 1 << 62 else None


def _payload(data: bytes, offset: int, size: int, page: Any, count: int) -> bytes:
    if not 8 < size < 1 << 24:
        raise ValueError("no such payload")
    if size <= _LOCAL:
        return data[offset : offset + size]
    local = _LEAST + (size - _LEAST) % (PAGE - 4)
    local = local if local <= _LOCAL else _LEAST
    parts, left = [data[offset : offset + local]], size - local
    following = int.from_bytes(data[offset + local : offset + local + 4], "big")
    while left > 0:
        if not 1 < following <= count:
            raise ValueError("the chain of overflow pages is broken")
        more = page(following)
        parts.append(more[4 : 4 + left])
        left -= PAGE - 4
        following = int.from_bytes(more[:4], "big")
    return b"".join(parts)


def _columns(seq: int, record: bytes) -> Row:
    length, at = _varint(record, 0)
    kinds = []
    while at < length:
        kind, at = _varint(record, at)
        kinds.append(kind)
    if len(kinds) not in (7, 8) or kinds[0] != 0 or any(kinds[n] < 13 or kinds[n] % 2 == 0 for n in (1, 2, 3, 6)):
        raise ValueError("not a row of alerts")
    values: list[Any] = [seq]
    for kind in kinds[1:]:
        width = (kind - 13) // 2 if kind >= 13 else 8 if kind == 7 else _FIXED.get(kind, -1)
        field = record[at : at + width]
        if width < 0 or len(field) < width:
            raise ValueError("cut off")
        values.append(field.decode("utf-8") if kind >= 13 else _number(kind, field))
        at += width
    camera, alert_id, word, committed_at, acked, payload = values[1:7]
    return seq, camera, alert_id, word, float(committed_at), int(acked), payload, values[7] if len(values) > 7 else None


def _number(kind: int, field: bytes) -> float | None:
    if kind == 0:
        return None
    if kind == 7:
        return float(struct.unpack(">d", field)[0])
    return kind - 8 if kind in (8, 9) else int.from_bytes(field, "big", signed=True)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of one to nine bytes, section 1.6; give it and where it ends."""
    value = 0
    for n in range(9):
        byte = data[at + n]
        if n == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + n + 1
    raise ValueError("unreachable")
