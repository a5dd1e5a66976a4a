"""Source: where a camera's pictures come from, as SCHEME:PLACE; only schemes that stand here are accepted."""

from __future__ import annotations

import re
from pathlib import Path

SCHEMES = {
    "belt": "belt",
    "file": "file",
    "genicam": "genicam",
    "http": "stream",
    "https": "stream",
    "picamera2": "picamera2",
    "push": "push",
    "rtsp": "stream",
    "rtsps": "stream",
    "synthetic": "synthetic",
    "v4l2": "v4l2",
    "watch": "watch",
}
"""What may stand before the first colon, and the member of `edge.cameras` that takes it."""

_WITH_PASSWORD = re.compile(r"//[^/]*:[^/@]*@")


def split_source(source: str) -> tuple[str, str]:
    """Split `v4l2:/dev/video0` into scheme and rest."""
    scheme, _, rest = source.partition(":")
    return scheme, rest


def is_video(source: str) -> bool:
    """Say whether FFmpeg reads a source: what comes over the network, and files other than folders of pictures."""
    scheme, place = split_source(source)
    return SCHEMES[scheme] == "stream" or (scheme == "file" and not Path(place).expanduser().is_dir())


def check_source(source: str) -> str:
    """Give `source` back when it names a known scheme and something behind it. Raises ValueError."""
    scheme, rest = split_source(source)
    if scheme not in SCHEMES or not rest or not source.isprintable():
        raise ValueError(f"must be SCHEME:PLACE with a scheme of {', '.join(SCHEMES)}, such as v4l2:/dev/video0")
    if SCHEMES[scheme] == "stream" and not rest.startswith("//"):
        raise ValueError(f"must be {scheme}://HOST/PATH")
    if _WITH_PASSWORD.match(rest):
        raise ValueError("must not hold a password: give username and password_file beside it")
    return source
