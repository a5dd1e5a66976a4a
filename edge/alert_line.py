"""Alert line: one alert as a line for people, aligned with the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.consume import Alert


def alert_line(alert: Alert) -> str:
    """Write one alert as an aligned line: time, where, verdict, type, what, area, seq."""
    told = alert.payload
    regions = [region for region in _list(told.get("regions")) if isinstance(region, dict)]
    reasons = _list(told.get("reasons"))
    labels = dict.fromkeys(str(region.get("label")) for region in regions)
    cells = (
        str(told.get("creation_time", ""))[:23].ljust(23),
        f"{alert.device}/{alert.camera}".ljust(20),
        str(told.get("result_evaluation", "")).ljust(12),
        str(told.get("type", "")).ljust(6),
        str(reasons[0] if reasons else ", ".join(labels)).ljust(40),
        f"{_area(regions)} px".rjust(12),
        f"seq {alert.seq}",
    )
    return "  ".join("".join(c if c.isprintable() else "?" for c in cell) for cell in cells)


def _area(regions: Sequence[Mapping[str, Any]]) -> int:
    return sum(area for region in regions if isinstance(area := region.get("area_px"), int))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
