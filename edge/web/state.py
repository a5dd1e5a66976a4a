"""State: everything the routes read, opened once per process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.clock import Clock
    from edge.web.alert_log import AlertLog
    from edge.web.calibrator import Calibrator
    from edge.web.core_health import CoreHealth, Told
    from edge.web.view import Seen, Views

_STALE_S = (3.0, 30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebState:
    """Where the web process reads, and what it may start; it writes to none of them."""

    device: str
    views: Views
    health: CoreHealth
    alerts: AlertLog
    evidence_dir: Path
    clock: Clock
    calibrator: Calibrator
    key: Callable[[], str | None]  # that an operator shows; None: nothing may be changed. Raises ConfigError

    def cameras(self, told: Told) -> list[str]:
        """List cameras in the configuration's order; those that left a picture, before the core has named any."""
        return list(told.document.get("cameras") or {}) or self.views.names()

    def camera(self, name: str, told: Told) -> dict[str, Any]:
        """Sum up one camera from the core's account, which costs the inspection nothing."""
        account = told.camera(name)
        age_s = account.get("frame_age_s")
        if age_s is not None:
            age_s = round(age_s + (told.age_s or 0.0), 3)
        stale_after_s = self.stale_after_s(account)
        return {
            **account,
            "name": name,
            "state": account.get("state", "connecting") if told.answering else "unknown",
            "age_s": age_s,
            "stale_after_s": stale_after_s,
            "live": age_s is not None and age_s <= stale_after_s,
        }

    def stale_after_s(self, account: dict[str, Any]) -> float:
        """Say from which age on a picture is no longer live: three periods of its camera, within bounds."""
        shortest, longest = _STALE_S
        fps = float(account.get("fps") or 0.0)
        return min(max(shortest, 3.0 / fps), longest) if fps > 0 else shortest

    def shown(self, name: str, seen: Seen, told: Told) -> dict[str, Any]:
        """Write one frame as a viewer needs it to show the picture, the overlay, the verdict and its age."""
        result = seen.result
        regions = [{key: region[key] for key in ("label", "score", "area_px", "bbox")} for region in result["regions"]]
        kept = (
            "result_evaluation", "reasons", "creation_time", "is_simulated",
            "recipe_id", "frame", "processing_times", "thresholds", "class_shares",
        )  # fmt: skip
        return {
            "camera": name,
            "sequence": seen.sequence,
            "age_s": round(seen.age_s(self.clock), 3),
            "stale_after_s": self.stale_after_s(told.camera(name)),
            "labels": seen.meta["labels"],
            "colours": seen.meta["colours"],
            "defects": list(result["thresholds"]),
            "zones": seen.meta["zones"].get(result["recipe_id"] or "", {}),
            **{key: result[key] for key in kept},
            "regions": regions,
        }
