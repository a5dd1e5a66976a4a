"""GPIO: the reject pulse on a line of a GPIO chip, and an encoder on another; timing is edge/outputs/reject.py's."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

import gpiod
from gpiod.line import Direction, Edge, Value

from edge.errors import SinkError
from edge.outputs.reject import Rejector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.outputs.courier import Desk
    from edge.sink_config import GpioConfig
    from edge.sinks import Site

_ALERTS_S = 0.5
_EVENTS = 1024  # of the encoder, kept by the kernel between two looks


def create(name: str, config: GpioConfig, site: Site) -> Gpio:
    """Make the GPIO sink; `name` is not needed."""
    del name
    return Gpio(config, site)


class Gpio:
    """Lines of a chip; the output is off before, between and after pulses. Alerts are not its concern."""

    def __init__(self, config: GpioConfig, site: Site) -> None:
        self._config = config
        self._site = site
        self._rejector = Rejector(config.reject)
        self._level = False
        self._alerts_s = 0.0
        self._lines: gpiod.LineRequest

    def __enter__(self) -> Self:
        config = self._config
        output = gpiod.LineSettings(
            direction=Direction.OUTPUT, output_value=Value.INACTIVE, active_low=config.active_low
        )
        lines: dict[Iterable[int | str] | int | str, gpiod.LineSettings | None] = {config.line: output}
        if config.encoder_line is not None:
            lines[config.encoder_line] = gpiod.LineSettings(direction=Direction.INPUT, edge_detection=Edge.RISING)
        try:
            self._lines = gpiod.request_lines(
                str(config.chip), config=lines, consumer="edgeloupe", event_buffer_size=_EVENTS
            )
        except (OSError, ValueError) as error:
            raise SinkError(f"{self}: {error}: check chip, line, and the rights of this user") from error
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(OSError):  # the chip may be gone
            self._lines.set_value(self._config.line, Value.INACTIVE)
        self._lines.release()

    def __str__(self) -> str:
        late = f", {self._rejector.late} parts judged too late" if self._rejector.late else ""
        return f"{self._config.chip} line {self._config.line}{late}"

    def turn(self, desk: Desk) -> float:
        now = self._site.clock.monotonic_s()
        try:
            self._read_encoder()
            for passing in desk.results():
                self._rejector.see(passing.camera, passing.result, passing.captured_mono_s, now)
            level = self._rejector.level(now)
            if level != self._level:
                self._level = level
                self._lines.set_value(self._config.line, Value.ACTIVE if level else Value.INACTIVE)
        except OSError as error:
            raise SinkError(f"{self}: {error.strerror or error}: check the chip") from error
        if now - self._alerts_s >= _ALERTS_S:
            self._alerts_s = now
            desk.take(*desk.alerts(100))
        return self._rejector.wait_s(now)

    def _read_encoder(self) -> None:
        """Take the edges since the last turn; the kernel numbers and dates them, so that none is missed or late."""
        if self._config.encoder_line is None:
            return
        while self._lines.wait_edge_events(0):
            for event in self._lines.read_edge_events():
                self._rejector.count(event.line_seqno, event.timestamp_ns / 1e9)
