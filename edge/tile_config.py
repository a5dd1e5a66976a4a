"""Tile configuration: which part of a camera's pictures is looked at, how closely, and what is looked at first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from edge.strict_yaml import Strict

Corner = tuple[int, int]
"""x and y, in pixels of the frame."""

_FARTHEST = 65_535
_LEAST = 16
"""Pixels to a side, of tiles and regions of interest."""
_SHAPE = "must be [x, y, width, height], or three or more corners such as [[0, 0], [640, 0], [640, 480]]"


def _corners(value: object) -> tuple[Corner, ...]:
    """Read a rectangle or a polygon as its corners."""
    corners: tuple[Corner, ...]
    match value:
        case [int(x), int(y), int(width), int(height)]:
            corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
        case [_, _, _, *_] as points:
            corners = tuple(_corner(point) for point in points)
        case _:
            raise ValueError(_SHAPE)
    across, down = zip(*corners, strict=True)
    if min(*across, *down) < 0 or max(*across, *down) > _FARTHEST:
        raise ValueError(f"must lie between 0 and {_FARTHEST}")
    if max(across) - min(across) < _LEAST or max(down) - min(down) < _LEAST:
        raise ValueError(f"must be at least {_LEAST} pixels wide and high")
    return corners


def _corner(value: object) -> Corner:
    match value:
        case [int(x), int(y)]:
            return x, y
    raise ValueError(_SHAPE)


Roi = Annotated[tuple[Corner, ...], BeforeValidator(_corners)]
Side = Annotated[int, Field(ge=_LEAST, le=_FARTHEST)]
Share = Annotated[float, Field(ge=0, le=1)]


class ZoneConfig(Strict):
    """A part of a camera's pictures that has a name; rules may differ in it."""

    outline: Roi = Field(description="x, y, width, height, or corners of a polygon")
    least_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5, description="of a region's pixels that must lie in it for the region to be counted as lying there"
    )


class TilesConfig(Strict):
    """Overlapping parts that the network looks at one by one, in pictures larger than what it takes."""

    size: tuple[Side, Side] | None = Field(
        default=None, description="width and height in pixels of the frame; unset: what the network takes, unreduced"
    )
    overlap: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.2, description="of a tile's width and height that neighbours share at least"
    )
    whole: bool = Field(
        default=False, description="look at the reduced picture too, for what is larger than a tile can show"
    )
    most: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=512, description="a picture that needs more tiles is not judged"
    )


class CascadeConfig(Strict):
    """A first look at the reduced picture; closer looks only where it saw something or was unsure."""

    bundle: Path | None = Field(default=None, description="a smaller network for the first look; unset: the same one")
    unsure_below: Share = Field(default=0.9, description="scores of the first look that call for a closer one")


class TilingConfig(Strict):
    """How the pictures of one camera are looked at; with nothing set, whole and at once."""

    roi: Roi | None = Field(
        default=None, description="only this part is looked at: x, y, width, height, or corners of a polygon"
    )
    tiles: TilesConfig | None = None
    cascade: CascadeConfig | None = None

    @model_validator(mode="after")
    def _looks_differ(self) -> TilingConfig:
        if self.cascade is not None and self.cascade.bundle is None and self.tiles is None:
            raise ValueError("cascade: its two looks would be the same: add tiles, or cascade.bundle")
        return self
