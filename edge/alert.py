"""Alert: when one begins, goes on and ends, from the inspections of one camera in their order."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from edge.inspection import Event, Inspection, Verdict

if TYPE_CHECKING:
    from edge.config import AlertConfig
    from edge.inspection import EventType


class AlertLife:
    """Turns inspections of one camera into events.

    A scene's alert begins after `confirm` NotOK in a row and ends after `clear` OK in a row; NotDecidable neither
    begins nor ends one. Of parts, each that is NotOK has an alert of its own that begins and ends with it.
    """

    def __init__(self, config: AlertConfig, *, per_part: bool) -> None:
        self._config = config
        self._per_part = per_part
        self._open_id: str | None = None
        self._bad = 0
        self._good = 0
        self._told_at = 0.0

    def step(self, inspection: Inspection, now_mono_s: float) -> list[Event]:
        """Take the next inspection; give the events it causes, mostly none."""
        bad, good = inspection.verdict is Verdict.NotOK, inspection.verdict is Verdict.OK
        if self._per_part:
            alert_id = str(uuid.uuid4())
            return [_event(alert_id, kind, inspection) for kind in ("new", "end")] if bad else []
        if bad or good:
            self._bad, self._good = (self._bad + 1, 0) if bad else (0, self._good + 1)
        if self._open_id is None:
            if self._bad < self._config.confirm:
                return []
            self._open_id = str(uuid.uuid4())
            self._told_at = now_mono_s
            return [_event(self._open_id, "new", inspection)]
        if self._good >= self._config.clear:
            ended, self._open_id = self._open_id, None
            return [_event(ended, "end", inspection)]
        if bad and now_mono_s - self._told_at >= self._config.update_s:
            self._told_at = now_mono_s
            return [_event(self._open_id, "update", inspection)]
        return []


def _event(alert_id: str, kind: EventType, inspection: Inspection) -> Event:
    return Event(alert_id=alert_id, type=kind, inspection=inspection)
