"""Look-out: one thread that looks at the sources while somebody looks at them, and passes on what is new."""

from __future__ import annotations

import json
import logging
import threading
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.web.alert_log import number, without_outlines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.web.alert_log import Alert
    from edge.web.core_health import Told
    from edge.web.state import WebState
    from edge.web.view import Seen

    Wanted = frozenset[tuple[str | None, bool]]

log = logging.getLogger(__name__)

FRAME_S, ALERT_S, HEALTH_S = 1 / 15, 0.5, 1.0
"""How often each source is looked at; frames in between are not shown."""
ALERTS_READ = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Events that nobody was sent yet."""

    health: str | None
    frames: dict[tuple[str, bool], str]  # by camera, with picture and mask and without
    alerts: tuple[str, ...]  # in their order

    def __bool__(self) -> bool:
        return bool(self.health or self.frames or self.alerts)


class LookOut:
    """Looks until told to stop: for those who look it is one thread that wakes no other for nothing."""

    def __init__(self, state: WebState, wanted: Callable[[], Wanted], tell: Callable[[LookOut, News], None]) -> None:
        """Start looking.

        Args:
            state: where to look.
            wanted: gives the cameras that somebody looks at, None for all, with pictures or without.
            tell: is called from the look-out's thread.
        """
        self._state = state
        self._wanted = wanted
        self._tell = tell
        self._anew = threading.Event()
        self._stopping = threading.Event()
        self._sent: dict[str, int] = {}  # number of the last frame by camera
        self._next_health_s = self._next_alert_s = 0.0
        self._last_alert: tuple[str, int] | None = None
        threading.Thread(target=self._run, name="live", daemon=True).start()

    def begin_anew(self) -> None:
        """Tell the newest of everything once more, with its age as it is now."""
        self._anew.set()

    def stop(self) -> None:
        """End soon; does not wait for it."""
        self._stopping.set()

    def _run(self) -> None:
        clock = self._state.clock
        next_frame_s = clock.monotonic_s()
        while not self._stopping.is_set():
            try:
                news = self._look(clock.monotonic_s())
                if news:
                    self._tell(self, news)
            except Exception:
                log.exception("a live source can't be read; trying again")
                self._stopping.wait(HEALTH_S)
            now = clock.monotonic_s()
            next_frame_s = max(next_frame_s + FRAME_S, now)
            self._stopping.wait(next_frame_s - now)

    def _look(self, now: float) -> News:
        if self._anew.is_set():
            self._anew.clear()
            self._sent, self._next_health_s = {}, 0.0
        health, alerts = None, []
        if now >= self._next_health_s:
            self._next_health_s = now + HEALTH_S
            health = sse("health", health_told(self._state))
        frames = self._new_frames()
        if now >= self._next_alert_s:
            self._next_alert_s = now + ALERT_S
            alerts = self._new_alerts()
        return News(health=health, frames=frames, alerts=tuple(alerts))

    def _new_frames(self) -> dict[tuple[str, bool], str]:
        wanted, told = self._wanted(), self._state.health.read()
        named = {camera for camera, _ in wanted}
        events = {}
        for camera in self._state.cameras(told) if None in named else [name for name in named if name]:
            seen = self._state.views.latest(camera)
            if seen is None or self._sent.get(camera) == seen.sequence:
                continue
            self._sent[camera] = seen.sequence
            shown = self._state.shown(camera, seen, told)
            for pictures in {with_them for name, with_them in wanted if name in (None, camera)}:
                events[camera, pictures] = _frame_event(shown, seen if pictures else None)
        return events

    def _new_alerts(self) -> list[str]:
        recent = self._state.alerts.recent
        newest = recent(1)
        last, self._last_alert = self._last_alert, number(newest[0]) if newest else ("", 0)
        if last is None or last == self._last_alert:
            return []  # what was there before anybody looked is in the list
        alerts = after(last, recent(ALERTS_READ))
        if alerts:
            self._last_alert = number(alerts[-1])  # more may have come meanwhile
        return [alert_event(alert) for alert in alerts]


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
    return _event(event, json.dumps(data, separators=(",", ":")), event_id)


def alert_event(alert: Alert) -> str:
    """Write an alert as an event that a viewer can name as the last it had."""
    epoch, seq = number(alert)
    return sse("alert", without_outlines(alert), f"{epoch}:{seq}")


def after(last: tuple[str, int], newest_first: Sequence[Alert]) -> list[Alert]:
    """Give the alerts that came after `last`, oldest first; all of them when the store was begun anew."""
    epoch, seq = last
    return [alert for alert in reversed(newest_first) if number(alert)[0] != epoch or number(alert)[1] > seq]


def _frame_event(shown: dict[str, Any], seen: Seen | None) -> str:
    """Write a frame, with picture (JPEG) and mask (grey PNG, class indices) in base64 where they are asked for."""
    text = json.dumps(shown, separators=(",", ":"))
    if seen is not None:  # base64 needs no escapes, so nobody need look for them
        jpeg, png = (b64encode(data).decode("ascii") for data in seen.pair())
        text = f'{text[:-1]},"picture":"{jpeg}","mask":"{png}"}}'
    return _event("frame", text)


def _event(event: str, text: str, event_id: str | None = None) -> str:
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {event}\ndata: {text}\n\n"
