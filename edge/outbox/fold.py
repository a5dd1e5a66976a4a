"""Fold: many alerts of one place as one summary that counts them, for when there is no room for each."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SCHEMA = "edgeloupe.summary/1"
MOST_SPANS = 64
"""So many ranges of folded numbers are named; consumers learn of further ones when they ask for them."""

OVER = ("end", "summary")
"""Types of messages that leave no life of an alert open."""

_STEPS = ("new", "update", "end")


def fold(alerts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Make one summary per camera, of alerts and earlier summaries."""
    places: dict[str, list[Mapping[str, Any]]] = {}
    for alert in alerts:
        places.setdefault(str(alert["camera"]), []).append(alert)
    return [_summary(camera, members) for camera, members in places.items()]


def squeeze(alerts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Fold what can be folded of alerts that were not stored: whole lives and updates.

    The end of an alert whose beginning was stored stays, and the beginning of one that has not ended: as many as
    there are alerts open at a time.
    """
    begun = {alert["alert_id"] for alert in alerts if alert["type"] == "new"}
    ended = {alert["alert_id"] for alert in alerts if alert["type"] == "end"}
    ends = [alert for alert in alerts if alert["type"] == "end" and alert["alert_id"] not in begun]
    news = [alert for alert in alerts if alert["type"] == "new" and alert["alert_id"] not in ended]
    kept = {id(alert) for alert in (*ends, *news)}
    return [*ends, *fold(alert for alert in alerts if id(alert) not in kept), *news]


def ends(alerts: Iterable[Mapping[str, Any]], reason: str) -> list[dict[str, Any]]:
    """End the lives that these messages, in their order, leave open."""
    lives = {alert["alert_id"]: alert for alert in alerts}
    return [{**last, "type": "end", "reasons": [reason]} for last in lives.values() if last["type"] not in OVER]


def _summary(camera: str, members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    spans: list[tuple[int, int]] = []
    times: list[str] = []
    for member in members:
        earlier = member.get("folded")
        if isinstance(earlier, dict):
            counts.update({step: earlier[step] for step in _STEPS})
            labels.update(earlier["labels"])
            spans += [(first, last) for first, last in earlier["spans"]]
            times += [earlier["first_time"], earlier["last_time"]]
        else:
            counts[member["type"]] += 1
            labels.update(str(region.get("label")) for region in member.get("regions", ()))
            times.append(str(member.get("creation_time", "")))
        if member.get("seq"):
            spans.append((member["seq"], member["seq"]))
    count = counts.total()
    return {
        "schema": SCHEMA,
        "device": members[-1].get("device"),
        "camera": camera,
        "type": "summary",
        "alert_id": str(uuid.uuid4()),
        "result_evaluation": "NotOK",
        "reasons": [f"the disk is full: {count} messages about alerts were counted and not kept"],
        "creation_time": max(times),
        "folded": {
            **{step: counts[step] for step in _STEPS},
            "labels": dict(labels),
            "first_time": min(times),
            "last_time": max(times),
            "spans": _joined(spans)[:MOST_SPANS],
        },
    }


def _joined(spans: Iterable[tuple[int, int]]) -> list[list[int]]:
    joined: list[list[int]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + 1:
            joined[-1][1] = max(joined[-1][1], last)
        else:
            joined.append([first, last])
    return joined
