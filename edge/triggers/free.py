"""Free run: every picture is wanted, or while nothing moves only one from time to time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from edge.camera_config import ChangeTrigger
from edge.triggers import Demand
from edge.triggers.change import Change

if TYPE_CHECKING:
    from edge.camera_config import FreeTrigger
    from edge.pictures.image import Image
    from edge.triggers import Place

_ALWAYS = Demand(wanted=True)
_LINGER_S = 1.0
"""What moved is watched for so long after it stopped."""


class Free:
    """Wants whatever comes; with `idle_fps`, while nothing moves, at most so much."""

    def __init__(self, config: FreeTrigger) -> None:
        self._idle_s = 0.0 if config.idle_fps is None else 1 / config.idle_fps
        self._motion = Change(ChangeTrigger(kind="change", on="moved", threshold=config.threshold, share=config.share))
        self._busy_until_mono_s = float("-inf")
        self._due_mono_s = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return

    def ask(self, picture: Image | None, now_mono_s: float) -> Demand:
        if not self._idle_s:
            return _ALWAYS
        if self._motion.ask(picture, now_mono_s).wanted:
            self._busy_until_mono_s = now_mono_s + _LINGER_S
        if now_mono_s >= self._busy_until_mono_s and now_mono_s < self._due_mono_s:
            return Demand()
        self._due_mono_s = now_mono_s + self._idle_s
        return _ALWAYS


def create(config: FreeTrigger, place: Place) -> Free:
    """Make the trigger; it needs nothing."""
    del place
    return Free(config)
