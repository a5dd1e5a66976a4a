"""Augmentation: one geometry for picture and mask, then exposure, colour, blur, noise and JPEG on the picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from models.recipe import AugmentSpec

    U8 = NDArray[np.uint8]


def augment(picture: U8, classes: U8, size: tuple[int, int], spec: AugmentSpec, rng: Generator) -> tuple[U8, U8]:
    """Bend one training sample.

    Args:
        picture: (H, W, 3) uint8 BGR, as `edge.prepare.halve` leaves it.
        classes: (H, W) uint8 class indices.
        size: width and height of the result in pixels.
        spec: how far to go.
        rng: the only source of chance.

    Returns:
        The picture, (height, width, 3), and its class indices, (height, width).
    """
    matrix = _geometry(classes.shape, size, spec, rng)
    border = tuple(int(v) for v in np.median(picture[0], axis=0))
    warped = cv2.warpAffine(
        picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=border
    )
    mask = cv2.warpAffine(classes, matrix, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return _light(np.asarray(warped, np.uint8), spec, rng), np.asarray(mask, np.uint8)


def _geometry(shape: tuple[int, ...], size: tuple[int, int], spec: AugmentSpec, rng: Generator) -> NDArray[np.float64]:
    h, w = shape
    width, height = size
    zoom = math.exp(rng.uniform(math.log(spec.scale[0]), math.log(spec.scale[1])))
    squeeze = math.exp(rng.uniform(-0.1, 0.1))
    angle = math.radians(rng.uniform(-spec.rotate_deg, spec.rotate_deg))
    flip_x, flip_y = rng.choice([-1, 1], 2) if spec.flip else (1, 1)
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = rotation @ np.diag([flip_x * zoom * squeeze * width / w, flip_y * zoom / squeeze * height / h])
    shift = rng.uniform(-spec.shift, spec.shift, 2) * size
    centre = np.array([width / 2, height / 2]) + shift
    return np.hstack([linear, (centre - linear @ [w / 2, h / 2])[:, None]])


def _light(picture: U8, spec: AugmentSpec, rng: Generator) -> U8:
    if rng.random() < 0.5 and (spec.hue_deg or spec.saturation):
        hsv = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV).astype(np.int16)
        hsv[:, :, 0] = (hsv[:, :, 0] + round(rng.uniform(-spec.hue_deg, spec.hue_deg) / 2)) % 180
        hsv[:, :, 1] = np.clip(hsv[:, :, 1] * (1 + rng.uniform(-spec.saturation, spec.saturation)), 0, 255)
        picture = np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2BGR), np.uint8)
    picture = cv2.LUT(picture, _tone_curves(spec, rng)).astype(np.uint8)
    if spec.blur_px and rng.random() < 0.2:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.2, spec.blur_px)), np.uint8)
    if spec.noise and rng.random() < 0.3:
        noise = rng.standard_normal(picture.shape, np.float32) * rng.uniform(0, spec.noise)
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if rng.random() < spec.jpeg:
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return picture


def _tone_curves(spec: AugmentSpec, rng: Generator) -> NDArray[np.uint8]:
    """Draw one (1, 256, 3) lookup for gamma, contrast, brightness and a cast of colour."""
    x = np.linspace(0, 1, 256)[:, None]
    curve = x ** math.exp(rng.uniform(-spec.gamma, spec.gamma))
    curve = (curve - 0.5) * (1 + rng.uniform(-spec.contrast, spec.contrast)) + 0.5
    curve = curve + rng.uniform(-spec.brightness, spec.brightness)
    curve = curve * (1 + rng.uniform(-spec.colour_cast, spec.colour_cast, 3))
    table: NDArray[np.uint8] = np.clip(curve * 255, 0, 255).astype(np.uint8)[None]
    return table
