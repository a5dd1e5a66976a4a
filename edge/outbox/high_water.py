"""High water: which alert numbers were given out, in a small file that outlives a lost or damaged database."""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.cache import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = 128
"""So many numbers are reserved ahead: one flush of this file for as many alerts."""

_SECTOR = 512
_FORMAT = struct.Struct(">8sQ16sQ")  # magic, generation, epoch, number; a CRC-32 follows
_MAGIC = b"EDGELOU1"
_RESERVED, _USED = (0, 1), (2, 3)  # slots, two of each kind: the older one stands while the other is written


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is known of the numbers without the database."""

    epoch: str
    reserved: int  # no greater number was ever given, whatever happened: flushed before use
    used: int  # this one was given; exact after a crash, perhaps stale after a power cut


class HighWater:
    """The file; belongs to the outbox's thread. Methods raise OSError.

    Four sectors: two take turns for the reserved number, which is flushed, two for the one used last, which is not:
    it costs a few bytes in memory per commit, and a tear in it never harms the reservation beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turns = dict.fromkeys((_RESERVED, _USED), 0)
        self._mark: Mark | None = None
        self._handle: int | None = None

    def close(self) -> None:
        """Close the file; it is opened again where it is needed."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            os.close(handle)

    def read(self) -> Mark | None:
        """Read the mark; None when there is no file or nothing whole in it."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        slots = {kind: [_unpack(data[slot * _SECTOR :]) for slot in kind] for kind in (_RESERVED, _USED)}
        whole = {kind: sorted(slot for slot in found if slot) for kind, found in slots.items()}
        self._turns = {kind: found[-1][0] if found else 0 for kind, found in whole.items()}
        if whole[_RESERVED]:
            _, epoch, reserved = whole[_RESERVED][-1]
            used = [number for _, of, number in whole[_USED] if of == epoch]
            self._mark = Mark(epoch=epoch, reserved=reserved, used=used[-1] if used else 0)
        return self._mark

    def reserve(self, epoch: str, last: int) -> None:
        """Promise, before they are used, that the numbers up to `last` may be given; flushes once per block."""
        if self._mark is not None and self._mark.epoch == epoch and last <= self._mark.reserved:
            return
        upto = last + BLOCK
        if not self._path.exists():
            self._path.write_bytes(bytes(4 * _SECTOR))
        self.close()  # somebody may have put another file in its place
        self._write(_RESERVED, epoch, upto, flush=True)
        if self._mark is None:
            sync_folder(self._path.parent)
        self._mark = Mark(epoch=epoch, reserved=upto, used=0)

    def use(self, epoch: str, last: int) -> None:
        """Note the number given last; not flushed, and no harm when it fails."""
        with contextlib.suppress(OSError):
            self._write(_USED, epoch, last, flush=False)

    def _write(self, slots: tuple[int, int], epoch: str, number: int, *, flush: bool) -> None:
        """Write to the older one of the slots; when that fails, the next try takes the same one."""
        turn = self._turns[slots] + 1
        body = _FORMAT.pack(_MAGIC, turn, epoch.encode("ascii"), number)
        if self._handle is None:
            self._handle = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        os.pwrite(self._handle, body + zlib.crc32(body).to_bytes(4, "big"), slots[turn % 2] * _SECTOR)
        if flush:
            os.fdatasync(self._handle)
        self._turns[slots] = turn


def _unpack(data: bytes) -> tuple[int, str, int] | None:
    """Give generation, epoch and number of one slot; None when it is not whole."""
    body, crc = data[: _FORMAT.size], data[_FORMAT.size : _FORMAT.size + 4]
    if len(crc) < 4 or not body.startswith(_MAGIC) or zlib.crc32(body).to_bytes(4, "big") != crc:
        return None
    _, turn, epoch, number = _FORMAT.unpack(body)
    return turn, epoch.decode("ascii"), number
