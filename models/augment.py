"""Augmentation: one geometry for picture and truth, then exposure, colour, blur, noise and JPEG on the picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.region import Box
from models.example import Example

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from models.example import U8
    from models.recipe import AugmentSpec

    Matrix = NDArray[np.float64]


def augment(
    example: Example, size: tuple[int, int], spec: AugmentSpec, rng: Generator, view: Box | None = None
) -> Example:
    """Bend one example.

    Args:
        example: the picture as `edge.pictures.prepare.halve` leaves it, and its truth.
        size: width and height of the result in pixels.
        spec: how far to go.
        rng: the only source of chance.
        view: the part of the picture that is to fill the result; without it the whole.
    """
    height, width = example.classes.shape
    matrix = _geometry(view or Box(0, 0, width, height), size, spec, rng)
    border = tuple(int(v) for v in np.median(example.picture[0], axis=0))
    picture = cv2.warpAffine(
        example.picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=border
    )
    classes, objects = (
        cv2.warpAffine(plane, matrix, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        for plane in (example.classes, example.objects)
    )
    return Example(
        _light(np.asarray(picture, np.uint8), spec, rng), np.asarray(classes, np.uint8), np.asarray(objects, np.uint16)
    )


def draw_bend(spec: AugmentSpec, rng: Generator) -> tuple[Matrix, float, float]:
    """Draw a rotation, (2, 2), and the stretch of x and y that goes before it, negative where flipped."""
    zoom = math.exp(rng.uniform(math.log(spec.scale[0]), math.log(spec.scale[1])))
    squeeze = math.exp(rng.uniform(-0.1, 0.1))
    angle = math.radians(rng.uniform(-spec.rotate_deg, spec.rotate_deg))
    flip_x, flip_y = rng.choice([-1, 1], 2) if spec.flip else (1, 1)
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return rotation, flip_x * zoom * squeeze, flip_y * zoom / squeeze


def _geometry(view: Box, size: tuple[int, int], spec: AugmentSpec, rng: Generator) -> Matrix:
    """Draw the (2, 3) matrix that brings `view` to `size`, bent about its middle."""
    width, height = size
    rotation, stretch_x, stretch_y = draw_bend(spec, rng)
    linear = rotation @ np.diag([stretch_x * width / view.width, stretch_y * height / view.height])
    shift = rng.uniform(-spec.shift, spec.shift, 2) * size
    centre = np.array([width / 2, height / 2]) + shift
    middle = [view.x + view.width / 2, view.y + view.height / 2]
    return np.hstack([linear, (centre - linear @ middle)[:, None]])


def _light(picture: U8, spec: AugmentSpec, rng: Generator) -> U8:
    if rng.random() < 0.5 and (spec.hue_deg or spec.saturation):
        hsv = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV).astype(np.int16)
        hsv[:, :, 0] = (hsv[:, :, 0] + round(rng.uniform(-spec.hue_deg, spec.hue_deg) / 2)) % 180
        hsv[:, :, 1] = np.clip(hsv[:, :, 1] * (1 + rng.uniform(-spec.saturation, spec.saturation)), 0, 255)
        picture = np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2BGR), np.uint8)
    picture = cv2.LUT(picture, _tone_curves(spec, rng)).astype(np.uint8)
    if spec.blur_px and rng.random() < 0.2:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.2, spec.blur_px)), np.uint8)
    if spec.motion_px and rng.random() < 0.2:
        streak = _streak(rng.uniform(0, spec.motion_px), rng.uniform(0, math.pi))
        picture = np.asarray(cv2.filter2D(picture, -1, streak, borderType=cv2.BORDER_REPLICATE), np.uint8)
    if spec.noise and rng.random() < 0.3:
        noise = rng.standard_normal(picture.shape, np.float32) * rng.uniform(0, spec.noise)
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if rng.random() < spec.jpeg:
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return picture


def _streak(length_px: float, angle_rad: float) -> NDArray[np.float32]:
    """Draw the kernel of a straight motion during the exposure; its weights add up to 1."""
    reach = math.ceil(length_px / 2)
    steps = np.linspace(-length_px / 2, length_px / 2, 8 * reach + 1)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    rows = np.rint(steps * math.sin(angle_rad)).astype(int) + reach
    columns = np.rint(steps * math.cos(angle_rad)).astype(int) + reach
    np.add.at(kernel, (rows, columns), 1 / len(steps))
    return kernel


def _tone_curves(spec: AugmentSpec, rng: Generator) -> NDArray[np.uint8]:
    """Draw one (1, 256, 3) lookup for gamma, contrast, brightness and a cast of colour."""
    x = np.linspace(0, 1, 256)[:, None]
    curve = x ** math.exp(rng.uniform(-spec.gamma, spec.gamma))
    curve = (curve - 0.5) * (1 + rng.uniform(-spec.contrast, spec.contrast)) + 0.5
    curve = curve + rng.uniform(-spec.brightness, spec.brightness)
    curve = curve * (1 + rng.uniform(-spec.colour_cast, spec.colour_cast, 3))
    table: NDArray[np.uint8] = np.clip(curve * 255, 0, 255).astype(np.uint8)[None]
    return table
