"""What picamera2 0.3 takes for granted on a Raspberry Pi, put in its place for libcamera's virtual camera."""

from __future__ import annotations

import mmap
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

if TYPE_CHECKING:
    import pytest

_VIRTUAL = Path("/usr/share/libcamera/pipeline/virtual/virtual.yaml")
_HEAP = Path("/dev/dma_heap/linux,cma")


def make_virtual_camera(width: int, height: int) -> None:
    """Tell libcamera of one camera that shows bars; before it is first asked in this process."""
    _VIRTUAL.parent.mkdir(parents=True, exist_ok=True)
    sizes = f"[{{width: {width}, height: {height}, frame_rates: [15, 30]}}]"
    _VIRTUAL.write_text(
        f'%YAML 1.1\n---\n"Virtual0":\n  supported_formats: {sizes}\n  test_pattern: "bars"\n'
        '  model: "Virtual"\n', encoding="ascii"
    )  # fmt: skip
    if not _HEAP.exists():
        _HEAP.symlink_to("system")


def settle_picamera2(monkeypatch: pytest.MonkeyPatch, width: int, height: int) -> None:
    """Give picamera2 a screen library, a sensor's mode, and buffers with a plane each for luma and chroma."""
    screen = types.ModuleType("pykms")
    screen.PixelFormat = MagicMock()  # type: ignore[attr-defined] # a table of names, for a screen that is not there
    monkeypatch.setitem(sys.modules, "pykms", screen)
    from picamera2 import picamera2

    modes = [{"format": "NV12", "size": (width, height)}]
    monkeypatch.setattr(picamera2.Picamera2, "_get_raw_modes", lambda self: modes)
    monkeypatch.setattr(picamera2, "DmaAllocator", _two_planes())


def _two_planes() -> type:
    import libcamera
    from picamera2.allocators import DmaAllocator

    class TwoPlanes(DmaAllocator):  # type: ignore[misc] # it ships no types
        """Picamera2's own, but that NV12 has two planes in one buffer, as the virtual camera demands."""

        def allocate(self, libcamera_config: Any, use_case: Any) -> None:
            for stream_config in libcamera_config:
                size = stream_config.frame_size
                buffers = []
                for number in range(stream_config.buffer_count):
                    held = self.dmaHeap.alloc(f"picamera2-{number}", size)
                    self.open_fds.append(held.get())
                    planes = []
                    for offset, length in ((0, size * 2 // 3), (size * 2 // 3, size // 3)):
                        plane = libcamera.FrameBuffer.Plane()
                        plane.fd, plane.offset, plane.length = held.get(), offset, length
                        planes.append(plane)
                    buffer = libcamera.FrameBuffer(planes)
                    for plane in buffer.planes:
                        self.libcamera_fds.append(plane.fd)
                        self.mapped_buffers_used[plane.fd] = False
                    self.mapped_buffers[buffer] = mmap.mmap(held.get(), size, mmap.MAP_SHARED)
                    buffers.append(buffer)
                self.frame_buffers[stream_config.stream] = buffers

    return TwoPlanes
