"""Disk: what may be found on one after a power cut, given every call that a program made before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from tests.soak.trace import Call

SECTOR = 512
SHARES = (0.0, 0.1, 0.5, 0.9, 1.0)
"""Of the sectors that were not flushed, so many survive; drawn anew for each cut."""
GARBAGE = 0.02


@dataclass(slots=True)
class _File:
    """One incarnation of a file: what a flush made certain, and what came since."""

    durable: bytearray = field(default_factory=bytearray)
    since: list[tuple[int, bytes] | int] = field(default_factory=list)  # writes, or the size of a truncation
    cursor: int = 0
    now: bytearray = field(default_factory=bytearray)


class Disk:
    """Follows a program's calls. Names change for good, in their order, when their folder is flushed."""

    def __init__(self) -> None:
        self._names: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}
        self._moves: list[dict[str, _File]] = []  # the names after each change since the last flush

    def take(self, call: Call) -> None:
        """Follow one call."""
        name = Path(call.path).name
        match call.name:
            case "open" if "O_CREAT" in call.flags or "O_TRUNC" in call.flags:
                if name not in self._names:
                    self._names[name] = _File()
                    self._moves.append(dict(self._names))
                elif "O_TRUNC" in call.flags:
                    self._truncate(self._names[name], 0)
                self._names[name].cursor = 0
            case "open" if name in self._names:
                self._names[name].cursor = 0
            case "write":
                file = self._names[name]
                offset = file.cursor if call.offset is None else call.offset
                file.since.append((offset, call.data))
                _write(file.now, offset, call.data)
                file.cursor = offset + len(call.data)
            case "truncate":
                self._truncate(self._names[name], call.size)
            case "sync" if name in self._names:
                file = self._names[name]
                file.durable, file.since = bytearray(file.now), []
            case "sync":  # the folder
                self._durable_names, self._moves = dict(self._names), []
            case "rename":
                self._names[Path(call.target).name] = self._names.pop(name)
                self._moves.append(dict(self._names))
            case "unlink":
                del self._names[name]
                self._moves.append(dict(self._names))

    def after_power_cut(self, chance: random.Random) -> dict[str, bytes]:
        """Draw one of the states in which the disk may be found."""
        share = chance.choice(SHARES)
        states = [self._durable_names, *self._moves]
        names = states[chance.randint(0, len(states) - 1)]
        return {name: _survivor(file, share, chance) for name, file in names.items()}

    @staticmethod
    def _truncate(file: _File, size: int) -> None:
        file.since.append(size)
        del file.now[size:]
        file.now.extend(bytes(size - len(file.now)))


def _survivor(file: _File, share: float, chance: random.Random) -> bytes:
    data = bytearray(file.durable)
    for change in file.since:
        if isinstance(change, int):
            if chance.random() < share:
                del data[change:]
                data.extend(bytes(change - len(data)))
            continue
        start, told = change
        end, at = start + len(told), start
        while at < end:  # sector by sector of the disk
            edge = min((at // SECTOR + 1) * SECTOR, end)
            dice = chance.random()
            if dice < GARBAGE:
                _write(data, at, chance.randbytes(edge - at))
            elif dice < share:
                _write(data, at, told[at - start : edge - start])
            at = edge
    return bytes(data)


def _write(data: bytearray, offset: int, told: bytes) -> None:
    if offset > len(data):
        data.extend(bytes(offset - len(data)))
    data[offset : offset + len(told)] = told
