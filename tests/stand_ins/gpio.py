"""A stand-in for the kernel's GPIO chips, after gpiod's documentation: lines that are asked for, set, and give edges.

No kernel at hand has a simulated chip. What is kept to: gpiod 2's `request_lines` and `LineRequest`; a line that is
taken is busy; events are numbered per line from 1 and dated by the monotonic clock.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gpiod

if TYPE_CHECKING:
    import pytest
    from gpiod.line import Value


@dataclass
class Chip:
    """One chip: what its outputs are and were, and the edges that wait to be read."""

    path: str = "/dev/gpiochip0"
    levels: dict[int, Value] = field(default_factory=dict)
    history: list[tuple[int, Value]] = field(default_factory=list)
    edges: list[gpiod.EdgeEvent] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)
    unplugged: bool = False
    _counts: dict[int, int] = field(default_factory=dict)

    def edge(self, line: int, at_s: float) -> None:
        """Let the encoder's line rise."""
        self._counts[line] = number = self._counts.get(line, 0) + 1
        rising = gpiod.EdgeEvent.Type.RISING_EDGE.value
        self.edges.append(gpiod.EdgeEvent(rising, int(at_s * 1e9), line, number, number))

    def request_lines(self, path: str, config: dict[int, gpiod.LineSettings], **more: Any) -> Request:
        """Give the lines, as gpiod does."""
        if path != self.path:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        if self.taken & set(config):
            raise OSError(errno.EBUSY, "Device or resource busy")
        self.taken |= set(config)
        for line, settings in config.items():
            self.levels[line] = settings.output_value
        return Request(self, set(config))


@dataclass
class Request:
    """Lines while they are held."""

    chip: Chip
    lines: set[int]

    def set_value(self, line: int, value: Value) -> None:
        if self.chip.unplugged:
            raise OSError(errno.ENODEV, "No such device")
        self.chip.levels[line] = value
        self.chip.history.append((line, value))

    def wait_edge_events(self, timeout: float) -> bool:
        return bool(self.chip.edges)

    def read_edge_events(self) -> list[gpiod.EdgeEvent]:
        events, self.chip.edges = self.chip.edges, []
        return events

    def release(self) -> None:
        self.chip.taken -= self.lines


def install_gpio(monkeypatch: pytest.MonkeyPatch) -> Chip:
    """Put a chip in the place of the kernel's."""
    chip = Chip()
    monkeypatch.setattr(gpiod, "request_lines", chip.request_lines)
    return chip
