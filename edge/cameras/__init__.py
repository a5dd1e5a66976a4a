"""Cameras by URL scheme; every other file here is one kind of source."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from edge.frame import Picture

SCHEMES = ("belt", "file", "synthetic", "v4l2")


class Camera(Protocol):
    """One source of pictures. Owned by one thread of a process that may be killed at any moment.

    Used as a context manager: entering opens the source and raises CameraError when it can't.
    """

    simulated: bool  # pictures come from a file: none may be skipped, and results say so

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def read(self) -> Picture | None:
        """Wait for the next picture, (H, W, 3) uint8 BGR; None when there are no more. Raises CameraError."""
        ...


def split_source(source: str) -> tuple[str, str]:
    """Split `v4l2:/dev/video0` into scheme and rest."""
    scheme, _, rest = source.partition(":")
    return scheme, rest


def check_source(source: str) -> str:
    """Give `source` back when it names a known scheme and something behind it. Raises ValueError."""
    scheme, rest = split_source(source)
    if scheme not in SCHEMES or not rest:
        raise ValueError(f"must be SCHEME:PLACE with a scheme of {', '.join(SCHEMES)}, such as v4l2:/dev/video0")
    return source


def create(source: str, *, loop: bool = False) -> Camera:
    """Make the camera for `source`; nothing is opened yet. Raises ValueError for an unknown scheme."""
    scheme, rest = split_source(check_source(source))
    camera: Camera = import_module(f"edge.cameras.{scheme}").create(rest, loop=loop)
    return camera
