"""Segment: a picture in, a Mask out; the one way a network is run, on the device and in the workshop."""

from __future__ import annotations

from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edge import runtimes
from edge.errors import BundleError, ModelError
from edge.mask import Mask, border_classes
from edge.pictures.prepare import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edge.bundle import Bundle
    from edge.manifest import TargetInfo
    from edge.picture import Picture
    from edge.pictures.image import Image
    from edge.runtimes import Runtime


NO_BORDERS: Mapping[int, int] = MappingProxyType({})


class Sees(Protocol):
    """What looks at the pictures of one camera, in as many threads at once as the runtime has lanes."""

    width: int  # of pictures, down to which they may be reduced before; 0 is not at all
    height: int

    def prepare(self, picture: Image) -> Picture:
        """Reduce one picture to what a network takes."""
        ...

    def see(self, picture: Image, prepared: Picture) -> Mask:
        """Segment a picture that was prepared. Raises ModelError; PictureError when it does not fit the settings."""
        ...


class Segmenter:
    """Finds the classes in pictures of any size, in as many threads at once as its runtime has lanes."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        width: int,
        height: int,
        output: tuple[int, int] | None = None,
        borders: Mapping[int, int] = NO_BORDERS,
    ) -> None:
        self._runtime, self._borders = runtime, borders
        self.width, self.height = width, height
        self.output = output  # height, width

    def __call__(self, picture: Image) -> Mask:
        """Segment one picture. Raises ModelError."""
        return self.see(picture, self.prepare(picture))

    def see(self, picture: Image, prepared: Picture) -> Mask:
        """Segment a picture that was prepared. Raises ModelError."""
        height, width = picture.shape[:2]
        return self.infer(prepared, width, height)

    def prepare(self, picture: Image) -> Picture:
        """Resize one picture to what the network takes."""
        return np.ascontiguousarray(prepare(picture, self.width, self.height))

    def infer(self, prepared: Picture, frame_width: int, frame_height: int) -> Mask:
        """Run the network on a prepared picture of a frame of the given size. Raises ModelError."""
        classes, scores = self._runtime.infer(prepared)
        if self.output and classes.shape != self.output:
            raise ModelError(
                f"the network gives {classes.shape} where its manifest says {self.output}: quantise the model again"
            )
        borders = None
        if self._borders:
            borders = np.zeros_like(classes)
            for border, inside in self._borders.items():
                drawn = classes == border
                classes[drawn], borders[drawn] = inside, 255
        return Mask(classes=classes, scores=scores, frame_width=frame_width, frame_height=frame_height, borders=borders)


@contextmanager
def open_segmenter(
    bundle: Bundle,
    target: str | None = None,
    threads: int = 0,
    *,
    lanes: int = 1,
    stand_in: TargetInfo | None = None,
) -> Iterator[Segmenter]:
    """Load `bundle` for `target`, by default one that runs here.

    Args:
        bundle: verified.
        target: one of its targets.
        threads: for one inference; 0 leaves the number to the runtime.
        lanes: threads that may segment at once.
        stand_in: runs instead of the target's own form, where its chip is not to be had; versions are not checked then.

    Raises:
        BundleError: no such target in the bundle, or the installed runtime is not one it was measured with.
        ModelError: the runtime is not installed or refuses the network.
    """
    name, info = bundle.target_for([target] if target else ())
    if stand_in is None:
        _check_version(bundle, name, info)
    with _open(bundle, stand_in or info, threads, lanes) as segmenter:
        yield segmenter


@contextmanager
def open_reference(bundle: Bundle, threads: int = 0) -> Iterator[Segmenter]:
    """Load the float form of the same network. Raises as `open_segmenter` does."""
    info = bundle.manifest.reference
    _check_version(bundle, "reference", info)
    with _open(bundle, info, threads) as segmenter:
        yield segmenter


@contextmanager
def _open(bundle: Bundle, info: TargetInfo, threads: int, lanes: int = 1) -> Iterator[Segmenter]:
    shape, output = bundle.manifest.input, bundle.manifest.output
    with runtimes.create(info.runtime, bundle.file(info.entry), threads=threads, lanes=lanes) as runtime:
        yield Segmenter(
            runtime,
            width=shape.width,
            height=shape.height,
            output=(output.height, output.width),
            borders=border_classes(bundle.manifest.classes),
        )


def _check_version(bundle: Bundle, name: str, info: TargetInfo) -> None:
    installed = runtimes.installed(info.runtime)
    if installed is None:
        return  # opening it will tell
    lowest, _, below = info.version_range.removeprefix(">=").partition(",<")
    if _release(installed) < _release(lowest) or (below and _release(installed) >= _release(below)):
        raise BundleError(
            f"{bundle.path}: target {name} was made for {info.runtime} {info.version_range}, here is {installed}: "
            f"install a fitting {info.runtime}, or quantise the model again"
        )


def _release(text: str) -> tuple[int, ...]:
    """Read the leading numbers of a version: `2026.4.1rc1` is (2026, 4, 1)."""
    numbers = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)
