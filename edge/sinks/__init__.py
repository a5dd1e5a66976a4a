"""Sinks: who delivers alerts; every other file here is one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, TypedDict

if TYPE_CHECKING:
    from types import TracebackType


class SinkStatus(TypedDict):
    """How delivery goes."""

    connected: bool
    detail: str  # one line for people: what is wrong, or how it is connected
    protocol: str | None  # MQTT: 5 or 3.1.1
    published: int  # alerts taken by the other side since the start
    in_flight: int  # alerts sent and not answered
    refused: int  # answers that were no since the start
    dropped: int  # passing results that could not be sent in time


class Sink(Protocol):
    """Delivers the outbox's alerts from a thread of its own; every method may be called from any thread."""

    def __enter__(self) -> Self:
        """Start. Raises OutboxError or ConfigError; an unreachable other side is no error but a status."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Say goodbye and stop within seconds; what is not delivered stays in the outbox."""
        ...

    def wake(self) -> None:
        """Tell that alerts were committed; never blocks."""
        ...

    def status(self) -> SinkStatus:
        """Say how delivery goes."""
        ...
