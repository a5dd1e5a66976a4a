"""Self-test: does this chip compute what the workshop measured? Run when a bundle is installed and at every start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.errors import BundleError
from edge.manifest import LightInfo
from edge.picture import read_picture

if TYPE_CHECKING:
    from pathlib import Path

    from edge.bundle import Bundle
    from edge.mask import Plane
    from edge.segment import Segmenter

MIN_IOU = 0.9
"""Of everything that is not class 0, per picture. The same file on another kernel set keeps 0.97 and more
(google-coral/edgetpu, segmentation_models_test.cc); a wrong colour order or a saturating chip does not."""

AREA_SHARE, AREA_RELATIVE = 0.005, 0.1
"""Each class may differ by half a percent of the picture plus a tenth of its area."""


def selftest(bundle: Bundle, segmenter: Segmenter, target: str) -> float:
    """Run the probe pictures of `bundle` through `segmenter`, opened for `target`; give the lowest foreground IoU.

    Raises:
        BundleError: this machine computes something else than the workshop did.
        ModelError: the network failed.
    """
    lowest = 1.0
    for probe in bundle.manifest.probe:
        expected = _read_classes(bundle.file(probe.masks[target]), len(bundle.manifest.classes))
        found = segmenter(read_picture(bundle.file(probe.picture))).classes
        lowest = min(lowest, _compare(bundle, probe.picture, found, expected))
    return lowest


def _compare(bundle: Bundle, name: str, found: Plane, expected: Plane) -> float:
    where = f"{bundle.path}: self-test on {name}"
    advice = "run `edgeloupe doctor`, and do not inspect with this chip"
    if found.shape != expected.shape:
        raise BundleError(f"{where}: expected mask is {expected.shape}, the network gives {found.shape}: {advice}")
    union = int(((found != 0) | (expected != 0)).sum())
    iou = int(((found != 0) & (expected != 0)).sum()) / union if union else 1.0
    if iou < MIN_IOU:
        raise BundleError(f"{where}: foreground IoU {iou:.3f} with the expected mask, at least {MIN_IOU}: {advice}")
    for index, label in enumerate(bundle.manifest.class_names):
        now, then = int((found == index).sum()), int((expected == index).sum())
        if abs(now - then) > AREA_SHARE * found.size + AREA_RELATIVE * then:
            raise BundleError(f"{where}: {label} covers {now} px, expected {then} px: {advice}")
    if int(found.max()) >= len(bundle.manifest.classes):
        raise BundleError(f"{where}: gives class {found.max()}, which the manifest does not name: {advice}")
    return iou


def _read_classes(path: Path, classes: int) -> Plane:
    mask = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if mask is None or mask.ndim != 2 or mask.dtype != np.uint8 or int(mask.max()) >= classes:
        raise BundleError(f"{path}: must be an index mask, grey PNG: quantise the model again")
    return np.asarray(mask, np.uint8)


def calibration_light(bundle: Bundle) -> LightInfo | None:
    """Give the light of the calibration pictures; of an older bundle that of its probe pictures."""
    manifest = bundle.manifest
    if manifest.light is None and manifest.probe:
        return LightInfo.of(read_picture(bundle.file(probe.picture)) for probe in manifest.probe)
    return manifest.light
