"""Ring: the last seconds of a camera as they came encoded, and a video file cut out of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from typing import TYPE_CHECKING, Any

from edge.errors import CameraError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.frame import Packet

_TIME_BASE = Fraction(1, 1000)
_PROBED = 5


@dataclass(frozen=True, slots=True)
class Kept:
    """One encoded picture and when it was taken, on the monotonic clock."""

    at_mono_s: float
    packet: Packet


class Ring:
    """Keeps encoded pictures for some seconds, within some memory; the oldest go first."""

    def __init__(self, *, keep_s: float, most_bytes: int) -> None:
        self._keep_s = keep_s
        self._most_bytes = most_bytes
        self._kept: deque[Kept] = deque()
        self._bytes = 0

    def add(self, kept: Kept) -> None:
        """Take the newest one."""
        self._kept.append(kept)
        self._bytes += len(kept.packet.data)
        while self._bytes > self._most_bytes or kept.at_mono_s - self._kept[0].at_mono_s > self._keep_s:
            self._bytes -= len(self._kept.popleft().packet.data)

    def cut(self, begin_mono_s: float, end_mono_s: float) -> list[Kept]:
        """Give what lies between two moments; it begins with a key picture, before the first moment if need be."""
        found = [kept for kept in self._kept if kept.at_mono_s <= end_mono_s]
        keys = [number for number, kept in enumerate(found) if kept.packet.key]
        early = [number for number in keys if found[number].at_mono_s <= begin_mono_s]
        first = early[-1] if early else keys[0] if keys else len(found)
        same = found[first].packet.codec if first < len(found) else None
        return [kept for kept in found[first:] if kept.packet.codec == same]


def write_video(kept: Sequence[Kept], path: Path) -> None:
    """Write encoded pictures as MP4 without encoding them again; whole or not at all.

    Raises:
        CameraError: there is nothing to write, or PyAV is not installed.
        OSError: the disk is full or failing.
    """
    try:
        import av  # noqa: PLC0415 - an extra, for devices that keep clips
    except ImportError as error:
        raise CameraError("clip: PyAV is not installed: pip install 'edgeloupe[streams]'") from error
    if not kept:
        raise CameraError("clip: no encoded picture was kept: is the camera giving any?")
    partial = path.with_name(f"{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with av.open(str(partial), "w", format="mp4") as container:
            stream = _add_stream(container, kept)
            times = _milliseconds(kept)
            for one, at, after in zip(kept, times, [*times[1:], times[-1] + 1], strict=True):
                packet = av.Packet(one.packet.data)
                packet.stream, packet.time_base = stream, _TIME_BASE
                packet.pts = packet.dts = at
                packet.duration = after - at
                packet.is_keyframe = one.packet.key
                container.mux(packet)
    except av.FFmpegError as error:
        partial.unlink(missing_ok=True)
        raise OSError(f"{path}: {error}") from error
    partial.replace(path)


def _add_stream(container: Any, kept: Sequence[Kept]) -> Any:
    """Add the stream of these packets; the parameters of H.264 and H.265 are found in the first ones."""
    import av  # noqa: PLC0415 - as above

    first = kept[0].packet
    if first.codec == "mjpeg":
        stream = container.add_mux_stream("mjpeg", width=first.width, height=first.height)
        stream.time_base = _TIME_BASE
        return stream
    begin = first.extradata + b"".join(one.packet.data for one in kept[:_PROBED])
    with av.open(BytesIO(begin), format=first.codec) as template:
        return container.add_stream_from_template(template.streams.video[0])


def _milliseconds(kept: Sequence[Kept]) -> list[int]:
    """Give times from 0 on that grow by at least one."""
    times: list[int] = []
    for one in kept:
        exact = round((one.at_mono_s - kept[0].at_mono_s) * 1000)
        times.append(max(exact, times[-1] + 1) if times else 0)
    return times
