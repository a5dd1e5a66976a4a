"""Slot: one value shared between processes without copies or locks; the newest wins, the older ones are gone.

A slot is a file in a memory file system, mapped by one writer and any number of readers. Three buffers take turns,
so a reader may work on a view of the newest value while the writer goes on; it asks `intact` afterwards whether the
writer came round and the view was overtaken.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_MAGIC = b"LOUPESL1"
_HEADER = struct.Struct("<8sQ")  # magic, capacity of one buffer in bytes
_LATEST, _CONSUMED, _WANTED, _BUFFERS_AT = 16, 24, 32, 64  # offsets of counters, of a wish, and of the first buffer
_WISH = struct.Struct("<II")
_BUFFER = struct.Struct("<QQQ")  # sequence when writing began, sequence when it ended, bytes of JSON
_COUNT = 3
_ALIGN = 64


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The newest value at one moment; the arrays are views that hold while `intact` says so."""

    sequence: int
    meta: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    _slot: Slot
    _at: int

    def intact(self) -> bool:
        """Say whether nothing was written over these arrays since they were taken."""
        return self._slot.holds(self._at, self.sequence)


class Slot:
    """One end of a slot. One writer at a time; a writer that died may be replaced, numbers go on."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Map an existing slot. Raises OSError; ValueError when the file is no slot."""
        with path.open("rb" if read_only else "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ if read_only else mmap.ACCESS_WRITE)
        magic, self._capacity = _HEADER.unpack_from(self._map)
        if magic != _MAGIC:
            raise ValueError(f"{path}: is not a slot")
        self._stride = _BUFFER.size + self._capacity
        self._barrier = threading.Lock()

    @classmethod
    def create(cls, path: Path, capacity: int) -> Self:
        """Make an empty slot for values of at most `capacity` bytes; untouched pages cost no memory."""
        stride = _aligned(_BUFFER.size + capacity)
        fresh = path.with_name(f"{path.name}.new")  # a reader of an earlier slot keeps its pages
        descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.ftruncate(descriptor, _BUFFERS_AT + _COUNT * stride)
            os.pwrite(descriptor, _HEADER.pack(_MAGIC, stride - _BUFFER.size), 0)
        finally:
            os.close(descriptor)
        fresh.replace(path)
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Unmap; views still alive keep the memory until they go."""
        try:
            self._map.close()
        except BufferError:  # a snapshot's arrays are still in use; the mapping goes with them
            return

    @property
    def latest(self) -> int:
        """Sequence number of the newest value; 0 before the first."""
        return self._counter(_LATEST)

    @property
    def consumed(self) -> int:
        """Sequence number a reader has finished with, for writers that wait."""
        return self._counter(_CONSUMED)

    def mark_consumed(self, sequence: int) -> None:
        """Tell a waiting writer that `sequence` is done with."""
        struct.pack_into("<Q", self._map, _CONSUMED, sequence)

    @property
    def wanted(self) -> tuple[int, int]:
        """The size a reader asked for, width and height; (0, 0) is all there is."""
        width, height = _WISH.unpack_from(self._map, _WANTED)
        return width, height

    def want(self, width: int, height: int) -> None:
        """Tell the writer that nothing larger is needed; of several readers the last is heard."""
        _WISH.pack_into(self._map, _WANTED, width, height)

    def write(self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> int:
        """Publish one value and give its sequence number.

        Raises:
            ValueError: it does not fit.
        """
        layout = [(name, array.dtype.str, array.shape) for name, array in arrays.items()]
        text = json.dumps({"meta": meta, "layout": layout}, separators=(",", ":")).encode()
        offset = _aligned(len(text))
        size = offset + sum(_aligned(array.nbytes) for array in arrays.values())
        if size > self._capacity:
            raise ValueError(f"a value of {size} bytes does not fit into a slot of {self._capacity}")
        sequence = self.latest + 1
        at = _BUFFERS_AT + sequence % _COUNT * self._stride
        _BUFFER.pack_into(self._map, at, sequence, 0, len(text))
        self._fence()
        start = at + _BUFFER.size
        self._map[start : start + len(text)] = text
        for array in arrays.values():
            target = np.ndarray(array.shape, array.dtype, self._map, start + offset)
            np.copyto(target, array)
            offset += _aligned(array.nbytes)
        self._fence()
        _BUFFER.pack_into(self._map, at, sequence, sequence, len(text))
        struct.pack_into("<Q", self._map, _LATEST, sequence)
        return sequence

    def newest(self, after: int = 0) -> Snapshot | None:
        """Give the newest value if its number is above `after`; None otherwise or while it is being replaced."""
        sequence = self.latest
        if sequence <= after:
            return None
        at = _BUFFERS_AT + sequence % _COUNT * self._stride
        _, ended, length = _BUFFER.unpack_from(self._map, at)
        start = at + _BUFFER.size
        if ended != sequence or length > self._capacity:
            return None
        text = self._map[start : start + length]
        if not self.holds(at, sequence):
            return None
        value = json.loads(text)
        offset = _aligned(length)
        arrays: dict[str, NDArray[Any]] = {}
        for name, dtype, shape in value["layout"]:
            array = np.ndarray(tuple(shape), np.dtype(dtype), self._map, start + offset)
            array.setflags(write=False)
            arrays[name] = array
            offset += _aligned(array.nbytes)
        return Snapshot(sequence, value["meta"], arrays, self, at)

    def holds(self, at: int, sequence: int) -> bool:
        """Say whether the buffer at `at` still holds `sequence`, whole."""
        self._fence()
        began, ended, _ = _BUFFER.unpack_from(self._map, at)
        return bool(began == ended == sequence)

    def _counter(self, offset: int) -> int:
        value: int = struct.unpack_from("<Q", self._map, offset)[0]
        return value

    def _fence(self) -> None:
        """Keep the processor from moving stores across; taking a lock is the barrier Python offers."""
        with self._barrier:
            pass


def _aligned(size: int) -> int:
    return -(-size // _ALIGN) * _ALIGN
