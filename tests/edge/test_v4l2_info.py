"""The kernel's questions, as far as they can be checked without a device."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge import v4l2_info


def test_the_questions_are_those_of_the_kernels_header() -> None:
    asked = {
        "VIDIOC_QUERYCAP": v4l2_info.QUERYCAP,
        "VIDIOC_ENUM_FMT": v4l2_info.ENUM_FMT,
        "VIDIOC_G_CTRL": v4l2_info.G_CTRL,
        "VIDIOC_S_CTRL": v4l2_info.S_CTRL,
        "VIDIOC_QUERYCTRL": v4l2_info.QUERYCTRL,
        "VIDIOC_ENUM_FRAMESIZES": v4l2_info.ENUM_FRAMESIZES,
    }
    assert asked == {
        "VIDIOC_QUERYCAP": 0x80685600,
        "VIDIOC_ENUM_FMT": 0xC0405602,
        "VIDIOC_G_CTRL": 0xC008561B,
        "VIDIOC_S_CTRL": 0xC008561C,
        "VIDIOC_QUERYCTRL": 0xC0445624,
        "VIDIOC_ENUM_FRAMESIZES": 0xC02C564A,
    }


def test_what_is_no_video_device_refuses() -> None:
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        v4l2_info.device_info(Path("/dev/null"))
