from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.errors import PictureError
from edge.pictures.raw import RAW_FORMATS, to_planes

_CONVERT = {
    "YUYV": cv2.COLOR_YUV2BGR_YUYV,
    "UYVY": cv2.COLOR_YUV2BGR_UYVY,
    "NV12": cv2.COLOR_YUV2BGR_NV12,
    "NV21": cv2.COLOR_YUV2BGR_NV21,
    "YU12": cv2.COLOR_YUV2BGR_I420,
    "YV12": cv2.COLOR_YUV2BGR_YV12,
}
_WIDTH, _HEIGHT = 64, 48


def _raw(form: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Blocks of 8x8 pixels, each with its own luma and chroma."""
    rng = np.random.default_rng(1)
    y, u, v = (rng.integers(64, 192, (6, 8), np.uint8) for _ in range(3))
    luma = y.repeat(8, 0).repeat(8, 1)
    small = [plane.repeat(4, 0).repeat(4, 1) for plane in (u, v)]
    if form in ("YUYV", "UYVY"):
        tall = [plane.repeat(2, 0) for plane in small]
        lumas = luma.reshape(_HEIGHT, _WIDTH // 2, 2)
        order = [lumas[..., 0], tall[0], lumas[..., 1], tall[1]]
        if form == "UYVY":
            order = [tall[0], lumas[..., 0], tall[1], lumas[..., 1]]
        return np.stack(order, axis=-1).reshape(_HEIGHT, _WIDTH, 2)
    if form in ("NV21", "YV12"):
        small.reverse()
    chroma = np.stack(small, axis=-1 if form.startswith("NV") else 0)
    return np.concatenate((luma.reshape(-1), chroma.reshape(-1))).reshape(_HEIGHT * 3 // 2, _WIDTH)


@pytest.mark.parametrize("form", RAW_FORMATS)
def test_planes_have_the_colours_that_opencv_gives(form: str) -> None:
    raw = _raw(form)
    theirs = cv2.cvtColor(raw, _CONVERT[form]).astype(int)
    ours = to_planes(raw, form, _WIDTH, _HEIGHT).bgr().astype(int)
    assert abs(ours - theirs).max() <= 2


@pytest.mark.parametrize("form", RAW_FORMATS)
def test_a_picture_that_is_cut_off_is_told(form: str) -> None:
    with pytest.raises(PictureError, match=f"{form} of 64x48: .* bytes came"):
        to_planes(_raw(form).reshape(-1)[:-64], form, _WIDTH, _HEIGHT)
