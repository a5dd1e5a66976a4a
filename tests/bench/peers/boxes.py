"""Boxes: lets torchvision work beside a PyTorch that it was not built for, such as one without CUDA.

What PyPI has of torchvision is compiled for PyTorch with CUDA; elsewhere its operators can't be loaded, and importing
it fails. Pipelines need one of them, which drops boxes that overlap a better one; here it is that of OpenCV.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import cv2
import torch

_LIBRARY: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Give the places of the boxes, x0, y0, x1, y1, that no better one that stays covers too much of; best first."""
    sizes = torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], dim=1)
    kept = cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), 0.0, iou_threshold)
    return torch.as_tensor(kept, dtype=torch.long)


def mend_torchvision() -> None:
    """Give torchvision that operator, unless it has it; to be called before anything else imports it, once."""
    if torch.version.cuda is not None or version("torchvision").endswith("+cpu"):
        return
    _LIBRARY.define(f"nms{_SIGNATURE}")
    _LIBRARY.define(f"qnms{_SIGNATURE}")  # only asked for by its import
    _LIBRARY.impl("nms", nms, "CPU")
    import torchvision  # not before these stand

    torchvision.extension._has_ops = lambda: True  # noqa: SLF001
