"""Packets: shots out of what PyAV's demuxers give, with how each came encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import PictureError
from edge.frame import Packet, Shot
from edge.pictures.jpeg import open_jpeg
from edge.pictures.planes import Planes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.plane import VideoPlane

    from edge.frame import Codec
    from edge.mask import Plane
    from edge.pictures.image import Image
    from edge.pictures.planes import Matrix

_BOXED = b"\x01"
"""Parameters of streams whose pictures stand in boxes, not between start codes; those are not kept as they came."""
_KEPT: dict[str, Codec] = {"mjpeg": "mjpeg", "h264": "h264", "hevc": "hevc"}
_MATRICES: dict[int, Matrix] = {1: "bt709", 2: "bt601", 5: "bt601", 6: "bt601"}
"""By `AVColorSpace`; 2 is what doesn't say, which swscale takes the same way."""
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_FORMATS = ("yuv420p", "yuvj420p")  # the second is the first in full range, of old


def shots(container: InputContainer, stream: Any, name: str) -> Iterator[Shot | PictureError]:
    """Give every picture of a video stream; damaged ones as errors, for a generator that raises is over.

    Raises:
        av.FFmpegError: the container can't be read on.
    """
    context = stream.codec_context
    context.thread_type = "SLICE"  # frame threads would hold pictures back
    codec = _KEPT.get(context.name)
    for packet in container.demux(stream):
        data = bytes(packet)
        if codec != "mjpeg":
            for frame in _frames(packet):
                yield _shot(frame, context, codec, data, name, key=packet.is_keyframe)
        elif data:  # the last one is empty, to empty a decoder
            yield _jpeg(data, name, _stamp_s(packet))


def _jpeg(data: bytes, name: str, stamp_s: float | None) -> Shot | PictureError:
    try:
        picture = open_jpeg(data, name)
    except PictureError as error:
        return error
    height, width = picture.shape[:2]
    packet = Packet(codec="mjpeg", data=data, key=True, width=width, height=height)
    return Shot(picture=picture, format="mjpeg", stamp_s=stamp_s, packet=packet)


def _shot(
    frame: VideoFrame, context: Any, codec: Codec | None, data: bytes, name: str, *, key: bool
) -> Shot | PictureError:
    if frame.is_corrupt:
        return PictureError(f"{name}: a picture came damaged: check the network, or set transport: tcp")
    packet = None
    extradata = bytes(context.extradata or b"")
    if codec is not None and not extradata.startswith(_BOXED):
        packet = Packet(codec=codec, data=data, key=key, width=frame.width, height=frame.height, extradata=extradata)
    return Shot(
        picture=_picture(frame),
        format=f"{context.name} {frame.format.name}",
        stamp_s=_stamp_s(frame),
        packet=packet,
    )


def _picture(frame: VideoFrame) -> Image:
    """Take the decoder's own planes where we know how to colour them; turned pictures are turned upright."""
    matrix = _MATRICES.get(frame.colorspace)
    if frame.format.name not in _FORMATS or matrix is None or frame.rotation:
        picture = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
        return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))
    y, u, v = (_plane(plane) for plane in frame.planes)
    full_range = frame.color_range == _FULL_RANGE or frame.format.name == "yuvj420p"
    return Planes(y=y, u=u, v=v, full_range=full_range, matrix=matrix)


def _plane(plane: VideoPlane) -> Plane:
    """Look at the decoder's memory, which stays as long as anybody does."""
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


def _stamp_s(of: Any) -> float | None:
    return None if of.pts is None else float(of.pts * of.time_base)


def _frames(packet: Any) -> list[VideoFrame]:
    """Decode one packet; what can't be decoded gives nothing, the next key frame mends it."""
    import av  # noqa: PLC0415 - an extra; whoever has packets has it

    try:
        found: list[VideoFrame] = packet.decode()
    except av.error.InvalidDataError:
        return []
    return found
