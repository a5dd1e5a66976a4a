"""V4L2 info: what a video device is, gives and can be set to, as the kernel tells (linux/videodev2.h)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CAPABILITY = struct.Struct("=16s32s32sIII12x")  # struct v4l2_capability
_FORMAT = struct.Struct("=III32sII12x")  # struct v4l2_fmtdesc
_FRAME_SIZE = struct.Struct("=IIIIIIIII8x")  # struct v4l2_frmsizeenum
_CONTROL = struct.Struct("=II32siiiiI8x")  # struct v4l2_queryctrl
_VALUE = struct.Struct("=Ii")  # struct v4l2_control

_CAPTURE = 0x1  # V4L2_CAP_VIDEO_CAPTURE, V4L2_BUF_TYPE_VIDEO_CAPTURE
_DEVICE_CAPS = 0x80000000
_DISCRETE = 1
_NEXT = 0x80000000  # V4L2_CTRL_FLAG_NEXT_CTRL
_DISABLED = 0x1
_CLASS = 6  # V4L2_CTRL_TYPE_CTRL_CLASS
_KINDS = {1: "integer", 2: "on or off", 3: "menu", 9: "menu"}
_MOST = 256
_AUTOGAIN = 0x00980912  # V4L2_CID_AUTOGAIN


def _request(direction: int, number: int, layout: struct.Struct) -> int:
    return direction << 30 | layout.size << 16 | ord("V") << 8 | number


_READ, _BOTH = 2, 3
QUERYCAP = _request(_READ, 0, _CAPABILITY)
ENUM_FMT = _request(_BOTH, 2, _FORMAT)
G_CTRL = _request(_BOTH, 27, _VALUE)
S_CTRL = _request(_BOTH, 28, _VALUE)
QUERYCTRL = _request(_BOTH, 36, _CONTROL)
ENUM_FRAMESIZES = _request(_BOTH, 74, _FRAME_SIZE)


@dataclass(frozen=True, slots=True)
class Control:
    """One setting of a device."""

    name: str
    kind: str
    minimum: int
    maximum: int
    step: int
    default: int
    value: int | None  # None where the device does not tell

    def __str__(self) -> str:
        return f"{self.name}: {self.minimum} to {self.maximum}, default {self.default}, now {self.value}"


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One video device that captures."""

    name: str
    formats: tuple[str, ...]  # `MJPG 1280x720 640x480`
    controls: tuple[Control, ...]


def device_info(device: Path) -> DeviceInfo | None:
    """Ask a device; None for one that does not capture. Raises OSError."""
    handle = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _, card, _, _, capabilities, of_node = _CAPABILITY.unpack(_ask(handle, QUERYCAP, bytes(_CAPABILITY.size)))
        if not (of_node if capabilities & _DEVICE_CAPS else capabilities) & _CAPTURE:
            return None
        return DeviceInfo(_text(card), tuple(_formats(handle)), tuple(_controls(handle)))
    finally:
        os.close(handle)


def turn_off_autogain(device: Path) -> None:
    """Let the gain be set by hand, which OpenCV has no word for; many devices have no automatic. Raises OSError."""
    handle = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            _ask(handle, S_CTRL, _VALUE.pack(_AUTOGAIN, 0))
    finally:
        os.close(handle)


def _formats(handle: int) -> Iterator[str]:
    for index in range(_MOST):
        try:
            answer = _ask(handle, ENUM_FMT, _FORMAT.pack(index, _CAPTURE, 0, b"", 0, 0))
        except OSError:  # no more
            return
        pixels = _FORMAT.unpack(answer)[4]
        sizes = " ".join(_sizes(handle, pixels))
        yield f"{struct.pack('=I', pixels).decode('ascii', 'replace').strip()} {sizes}".rstrip()


def _sizes(handle: int, pixels: int) -> Iterator[str]:
    for index in range(_MOST):
        try:
            answer = _ask(handle, ENUM_FRAMESIZES, _FRAME_SIZE.pack(index, pixels, *[0] * 7))
        except OSError:
            return
        _, _, kind, *numbers = _FRAME_SIZE.unpack(answer)
        if kind != _DISCRETE:  # smallest and largest width and step, and the same of the height
            narrow, wide, _, low, high, _ = numbers
            yield f"{narrow}x{low} to {wide}x{high}"
            return
        yield f"{numbers[0]}x{numbers[1]}"


def _controls(handle: int) -> Iterator[Control]:
    number = 0
    for _ in range(_MOST):
        try:
            answer = _ask(handle, QUERYCTRL, _CONTROL.pack(number | _NEXT, 0, b"", 0, 0, 0, 0, 0))
        except OSError:
            return
        number, kind, name, minimum, maximum, step, default, flags = _CONTROL.unpack(answer)
        if kind == _CLASS or flags & _DISABLED or kind not in _KINDS:
            continue
        yield Control(_text(name), _KINDS[kind], minimum, maximum, step, default, _value(handle, number))


def _value(handle: int, number: int) -> int | None:
    try:
        value: int = _VALUE.unpack(_ask(handle, G_CTRL, _VALUE.pack(number, 0)))[1]
    except OSError:
        return None
    return value


def _ask(handle: int, request: int, question: bytes) -> bytes:
    return fcntl.ioctl(handle, request, question)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")
