"""Alert log: the alerts that were committed, newest first, read from the outbox without ever writing to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

Alert = dict[str, Any]
"""One alert message as it went out, with `epoch` and `seq`."""


class AlertLog(Protocol):
    """Where alerts can be read again; safe to call from any thread, one call at a time."""

    def recent(self, limit: int, before_seq: int | None = None) -> Sequence[Alert]:
        """Give at most `limit` alerts, newest first; those below `before_seq` if it is given."""
        ...


def number(alert: Alert) -> tuple[str, int]:
    """Give what tells one message from all others: the store's epoch and the number in it."""
    return str(alert["epoch"]), int(alert["seq"])


def without_outlines(message: dict[str, Any]) -> dict[str, Any]:
    """Leave out the regions' masks, by far the largest part of a message."""
    regions = [{k: v for k, v in region.items() if k != "segmentation"} for region in message.get("regions", ())]
    return {**message, "regions": regions}
