"""Live: pushes frames, alerts and health to everybody who looks; the sources are polled once, whoever looks."""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64encode
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge.web.alert_log import number, without_outlines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from edge.web.alert_log import Alert
    from edge.web.core_health import Told
    from edge.web.state import WebState
    from edge.web.view import Seen

log = logging.getLogger(__name__)

FRAME_S, ALERT_S, HEALTH_S = 1 / 15, 0.5, 1.0
"""How often each source is looked at; frames in between are not shown."""
_ALERTS_WAITING = 200
_ALERTS_READ = 50


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
    """Belongs to the event loop; reading and copying happen in threads."""

    def __init__(self, state: WebState) -> None:
        self._state = state
        self._viewers: set[Viewer] = set()
        self._poll: asyncio.Task[None] | None = None
        self._sent: dict[str, int] = {}  # number of the last frame by camera; a fresh one for each who comes
        self._next_health = 0.0
        self._last_alert: tuple[str, int] | None = None
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
        self._sent = {}  # the newest of everything once more, with its age as it is now
        self._next_health = 0.0
        if self._poll is None:
            self._last_alert = None
            self._poll = asyncio.create_task(self._poll_for_ever(), name="live")

    def _leave(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)
        if not self._viewers and self._poll is not None:
            self._poll.cancel()
            self._poll = None

    async def _catch_up(self, viewer: Viewer) -> None:
        """Send the alerts that came while this viewer had no connection."""
        if viewer.after is None:
            return
        missed = _after(viewer.after, await asyncio.to_thread(self._state.alerts.recent, _ALERTS_READ))
        if len(missed) == _ALERTS_READ:
            viewer.put_alert(sse("missed", {}))
        for alert in missed:
            viewer.put_alert(_alert_event(alert))

    async def _poll_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        next_alert = 0.0
        next_frame = loop.time()
        while True:
            now = loop.time()
            try:
                if now >= self._next_health:
                    self._next_health = now + HEALTH_S
                    await self._poll_health()
                await self._poll_frames()
                if now >= next_alert:
                    next_alert = now + ALERT_S
                    await self._poll_alerts()
            except Exception:
                log.exception("a live source can't be read; trying again")
                await asyncio.sleep(HEALTH_S)
            next_frame = max(next_frame + FRAME_S, loop.time())
            await asyncio.sleep(next_frame - loop.time())

    async def _poll_frames(self) -> None:
        """Write each new frame once for all viewers: with picture and mask, and without."""
        wanted = {(viewer.camera, viewer.pictures) for viewer in self._viewers}
        found = await asyncio.to_thread(self._new_frames, wanted, self._sent)
        for (camera, pictures), event in found.items():
            for viewer in self._viewers:
                if viewer.camera in (None, camera) and viewer.pictures == pictures:
                    viewer.put(f"frame {camera}", event)

    def _new_frames(self, wanted: set[tuple[str | None, bool]], sent: dict[str, int]) -> dict[tuple[str, bool], str]:
        told = self._state.health.read()
        named = {camera for camera, _ in wanted}
        events = {}
        for camera in self._state.cameras(told) if None in named else [name for name in named if name]:
            seen = self._state.views.latest(camera)
            if seen is None or sent.get(camera) == seen.sequence:
                continue
            sent[camera] = seen.sequence
            shown = self._state.shown(camera, seen, told)
            for pictures in {with_them for name, with_them in wanted if name in (None, camera)}:
                events[camera, pictures] = sse("frame", shown | (_pictures(seen) if pictures else {}))
        return events

    async def _poll_health(self) -> None:
        event = sse("health", await asyncio.to_thread(health_told, self._state))
        for viewer in self._viewers:
            viewer.put("health", event)

    async def _poll_alerts(self) -> None:
        recent = self._state.alerts.recent
        newest = await asyncio.to_thread(recent, 1)
        last, self._last_alert = self._last_alert, number(newest[0]) if newest else ("", 0)
        if last is None or last == self._last_alert:
            return  # what was there before anybody looked is in the list
        for alert in _after(last, await asyncio.to_thread(recent, _ALERTS_READ)):
            self._last_alert = number(alert)
            event = _alert_event(alert)
            for viewer in self._viewers:
                viewer.put_alert(event)


def health_told(state: WebState) -> dict[str, Any]:
    """Write the core's account, whether it answers, and each camera with what it saw last."""
    told: Told = state.health.read()
    return {
        "device": state.device,
        "core": {
            "answering": told.answering,
            "age_s": None if told.age_s is None else round(told.age_s, 3),
            "not_ready": told.not_ready(),
        },
        **{key: value for key, value in told.document.items() if key not in ("device", "cameras")},
        "cameras": [state.camera(name, told) for name in state.cameras(told)],
    }


def sse(event: str, data: object, event_id: str | None = None) -> str:
    """Write one server-sent event."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"


def _pictures(seen: Seen) -> dict[str, str]:
    """Write picture (JPEG) and mask (grey PNG, class indices) in base64, encoded once whoever asks."""
    jpeg, png = seen.pair()
    return {"picture": b64encode(jpeg).decode(), "mask": b64encode(png).decode()}


def _alert_event(alert: Alert) -> str:
    epoch, seq = number(alert)
    return sse("alert", without_outlines(alert), f"{epoch}:{seq}")


def _after(last: tuple[str, int], newest_first: Sequence[Alert]) -> list[Alert]:
    """Give the alerts that came after `last`, oldest first; all of them when the store was begun anew."""
    epoch, seq = last
    return [alert for alert in reversed(newest_first) if number(alert)[0] != epoch or number(alert)[1] > seq]
