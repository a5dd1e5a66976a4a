"""One mark: what a data set of one picture, with one mark or one fault, holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.datasets import Dataset


def inside(data: Dataset) -> NDArray[np.bool_]:
    """Draw the only mark of the only picture."""
    (sample,) = data.samples
    (mark,) = sample.marks()
    return mark.inside()


def why(data: Dataset) -> str:
    """Say what the only fault is."""
    (fault,) = data.faults
    return fault.why
