"""Free run: every picture is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from edge.triggers import Demand

if TYPE_CHECKING:
    from edge.camera_config import FreeTrigger
    from edge.image import Image
    from edge.triggers import Place

_ALWAYS = Demand(wanted=True)


class Free:
    """Wants whatever comes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return

    def ask(self, picture: Image | None, now_mono_s: float) -> Demand:
        del picture, now_mono_s
        return _ALWAYS


def create(config: FreeTrigger, place: Place) -> Free:
    """Make the trigger; it needs nothing."""
    del config, place
    return Free()
