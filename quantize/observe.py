"""Observe: what flows through a float network on calibration pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper
from tqdm import tqdm

from edge.errors import ModelError
from quantize.session import open_session, run_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from edge.picture import Picture

    Floats = NDArray[np.float32]

BINS = 2048

LEAST = 1e-3
"""Width of a histogram of what is always the same, relative to it: narrower bins are none in single precision."""


class Histogram:
    """How often which values were seen, in equal bins from the least to the greatest."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, max(high, low + LEAST * max(1.0, abs(low)))
        self.counts = np.zeros(BINS)

    def add(self, values: Floats) -> None:
        """Count values, which must not lie outside."""
        self.counts += np.histogram(values, BINS, (self.low, self.high))[0]

    @property
    def centres(self) -> NDArray[np.float64]:
        """The middle of each bin."""
        return self.low + (np.arange(BINS) + 0.5) * (self.high - self.low) / BINS


def flow(
    model: onnx.ModelProto, names: Sequence[str], pictures: Sequence[Picture], what: str = ""
) -> Iterator[list[Floats]]:
    """Run the folded network on each picture and give the tensors called `names`; `what` stands beside the bar.

    Raises:
        ModelError: the network can't be run, or what flows through it is not finite.
    """
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    probed.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = open_session(probed, "the network")
    for picture in tqdm(pictures, desc=what, unit="picture", disable=None if what else True, leave=False):
        values = run_session(session, list(names), {"picture": picture[None]}, "the network")
        for name, value in zip(names, values, strict=True):
            if not np.isfinite(value).all():
                raise ModelError(f"tensor {name!r}: is not finite on a calibration picture: its weights are too large")
        yield values


def histograms(model: onnx.ModelProto, names: Sequence[str], pictures: Sequence[Picture]) -> dict[str, Histogram]:
    """Count the values of tensors, in two passes over the pictures."""
    lows, highs = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for values in flow(model, names, pictures, "ranges"):
        lows = np.minimum(lows, [value.min() for value in values])
        highs = np.maximum(highs, [value.max() for value in values])
    found = [Histogram(float(low), float(high)) for low, high in zip(lows, highs, strict=True)]
    for values in flow(model, names, pictures, "histograms"):
        for histogram, value in zip(found, values, strict=True):
            histogram.add(value)
    return dict(zip(names, found, strict=True))


def channel_extremes(
    model: onnx.ModelProto, names: Sequence[str], pictures: Sequence[Picture]
) -> dict[str, NDArray[np.float64]]:
    """Give the least and the greatest value of each channel, (2, channels), of tensors (1, channels, h, w)."""
    found: list[NDArray[np.float64]] = []
    for values in flow(model, names, pictures, "channels"):
        flat = [value[0].reshape(value.shape[1], -1) for value in values]
        here = [np.stack([one.min(axis=1), one.max(axis=1)]).astype(np.float64) for one in flat]
        if found:
            here = [
                np.stack([np.minimum(a[0], b[0]), np.maximum(a[1], b[1])]) for a, b in zip(found, here, strict=True)
            ]
        found = here
    return dict(zip(names, found, strict=True))
