"""Live: pushes frames, alerts and health to everybody who looks; the sources are looked at once, whoever looks."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.web.look_out import ALERTS_READ, LookOut, after, alert_event, sse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from edge.web.look_out import News, Wanted
    from edge.web.state import WebState

_ALERTS_WAITING = 200


@dataclass(slots=True, eq=False)
class Viewer:
    """One open stream. Frames and health: newest wins. Alerts wait; when too many wait, it is told to read the list."""

    camera: str | None  # None: all
    pictures: bool = False  # frames come with picture and mask
    after: tuple[str, int] | None = None  # the last alert it had before it lost its connection
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _newest: dict[str, str] = field(default_factory=dict)  # by kind and camera
    _alerts: deque[str] = field(default_factory=deque)

    def put(self, key: str, event: str) -> None:
        """Leave an event that replaces the one before under the same key."""
        self._newest[key] = event
        self._wake.set()

    def put_alert(self, event: str) -> None:
        """Leave an alert, in order."""
        if len(self._alerts) >= _ALERTS_WAITING:
            self._alerts.clear()
            event = sse("missed", {})
        self._alerts.append(event)
        self._wake.set()

    async def take(self) -> str:
        """Wait for events and give all that lie here; empty when only woken."""
        await self._wake.wait()
        self._wake.clear()
        text = "".join([*self._alerts, *self._newest.values()])
        self._alerts.clear()
        self._newest.clear()
        return text

    def wake(self) -> None:
        """Let `take` return."""
        self._wake.set()


class Live:
    """Belongs to the event loop; looking happens in a thread, while somebody looks."""

    def __init__(self, state: WebState) -> None:
        self._state = state
        self._viewers: set[Viewer] = set()
        self._wanted: Wanted = frozenset()
        self._look_out: LookOut | None = None
        self._closing = False

    @property
    def viewers(self) -> int:
        """How many streams are open."""
        return len(self._viewers)

    def close(self) -> None:
        """End all streams, so that the server can stop."""
        self._closing = True
        for viewer in self._viewers:
            viewer.wake()

    async def events(self, viewer: Viewer) -> AsyncIterator[str]:
        """Stream to one viewer until it leaves or the server closes."""
        self._enter(viewer)
        try:
            yield "retry: 1000\n\n"
            await self._catch_up(viewer)
            while not self._closing:
                text = await viewer.take()
                if text:
                    yield text
        finally:
            self._leave(viewer)

    def _enter(self, viewer: Viewer) -> None:
        self._viewers.add(viewer)
        self._count()
        if self._look_out is not None:
            self._look_out.begin_anew()
            return
        loop = asyncio.get_running_loop()

        def tell(look_out: LookOut, news: News) -> None:
            with contextlib.suppress(RuntimeError):  # the server is gone
                loop.call_soon_threadsafe(self._hand_out, look_out, news)

        self._look_out = LookOut(self._state, lambda: self._wanted, tell)

    def _leave(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)
        self._count()
        if not self._viewers and self._look_out is not None:
            self._look_out.stop()
            self._look_out = None

    def _count(self) -> None:
        self._wanted = frozenset((viewer.camera, viewer.pictures) for viewer in self._viewers)

    async def _catch_up(self, viewer: Viewer) -> None:
        """Send the alerts that came while this viewer had no connection."""
        if viewer.after is None:
            return
        missed = after(viewer.after, await asyncio.to_thread(self._state.alerts.recent, ALERTS_READ))
        if len(missed) == ALERTS_READ:
            viewer.put_alert(sse("missed", {}))
        for alert in missed:
            viewer.put_alert(alert_event(alert))

    def _hand_out(self, look_out: LookOut, news: News) -> None:
        """Give each viewer what it wants of the news."""
        if look_out is not self._look_out:  # one that was told to stop
            return
        for viewer in self._viewers:
            for (camera, pictures), event in news.frames.items():
                if viewer.camera in (None, camera) and viewer.pictures == pictures:
                    viewer.put(f"frame {camera}", event)
            if news.health is not None:
                viewer.put("health", news.health)
            for event in news.alerts:
                viewer.put_alert(event)
