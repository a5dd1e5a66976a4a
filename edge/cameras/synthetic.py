"""A scripted camera for tests and rehearsals: `synthetic:plain,red,dark,stall` shows those pictures in turn."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np

from edge.cameras import Nothing
from edge.errors import CameraError, PictureError
from edge.frame import Shot
from edge.picture import check_jpeg, decode_picture
from edge.source import split_source

if TYPE_CHECKING:
    from edge.camera_config import CameraConfig
    from edge.config import MqttConfig
    from edge.picture import Picture

_HEIGHT, _WIDTH = 240, 320
_COLOURS = {"plain": (128, 128, 128), "dark": (0, 0, 0), "bright": (255, 255, 255), "fault": (255, 0, 255)}
_FPS = 30.0


class Synthetic:
    """Plays a script word by word; `synthetic:@FILE` plays the word that stands in the file at the moment.

    Pictures: `plain` grey, `red` grey with a red square, `part` grey with a dark square and fine lines, `dark`,
    `bright`, `fault` (magenta), `same` (the last one again); sensor noise is added to all but the last two.
    Faults: `unplug` and `end` fail to read and then to open, `stall` never returns, `crash` ends the
    process, `torn` a JPEG cut off, `empty` zero bytes, `noise`, `small` another size, `grey` another format,
    `backwards` stamps that go back, `quiet` nothing for now.
    """

    simulated = False
    each_counts = False

    def __init__(self, script: str, *, loop: bool, fps: float = _FPS) -> None:
        self._cue = Path(script[1:]) if script.startswith("@") else None
        self._words = script.split(",")
        self._loop = loop
        self._frame_s = 1 / fps
        self._next_at = 0.0
        self._at = 0
        self._noise = np.random.default_rng(1)
        self._last: Picture = np.zeros((_HEIGHT, _WIDTH, 3), np.uint8)
        self._stamp_s = 0.0

    def __enter__(self) -> Self:
        if self._cue is not None:
            while self._word() == "stall":  # a device that hangs hangs for whoever opens it, too
                time.sleep(0.02)
            if self._word() in ("unplug", "end"):
                raise CameraError("synthetic: nothing is plugged in: plug it in")
        return self

    def __exit__(self, *exc: object) -> None:
        return

    def read(self) -> Shot | Nothing:
        self._expose()
        word = self._word()
        match word:
            case "":
                return Nothing.MORE
            case "unplug" | "end":
                raise CameraError(f"synthetic:{word}: the script {word}s the camera here")
            case "crash":
                os._exit(1)
            case "quiet":
                time.sleep(0.1)
                return Nothing.YET
            case "torn" | "empty":
                self._broken(word)
        while word == "stall":
            time.sleep(1)
        if word != "same":
            self._last = self._draw(word)
        self._stamp_s += -0.1 if word == "backwards" else 0.0
        stamp_s = self._stamp_s if word == "backwards" else time.monotonic()
        return Shot(picture=self._last, format="grey" if word == "grey" else "", stamp_s=stamp_s)

    def _expose(self) -> None:
        now = time.monotonic()
        self._next_at = max(self._next_at + self._frame_s, now)
        time.sleep(self._next_at - now)

    def _word(self) -> str:
        if self._cue is not None:
            try:
                return self._cue.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise CameraError(f"{self._cue}: {error.strerror}: write a word into it") from error
        if self._at >= len(self._words):
            if not self._loop:
                return ""
            self._at = 0
        self._at += 1
        return self._words[self._at - 1]

    def _broken(self, word: str) -> None:
        data = cv2.imencode(".jpg", self._draw("plain"))[1].tobytes()
        sent = data[: len(data) // 2] if word == "torn" else b""
        decode_picture(np.frombuffer(check_jpeg(sent, f"synthetic:{word}"), np.uint8), word)
        raise PictureError(f"synthetic:{word}: was not noticed")

    def _draw(self, word: str) -> Picture:
        height, width = (_HEIGHT // 2, _WIDTH // 2) if word == "small" else (_HEIGHT, _WIDTH)
        if word == "noise":
            return self._noise.integers(0, 256, (height, width, 3), np.uint8)
        scenes = ("red", "part", "small", "grey", "backwards")
        colour = _COLOURS.get("plain" if word in scenes else word)
        if colour is None:
            raise CameraError(f"synthetic:{word}: no such scene: use plain, red, part, dark, bright, fault or same")
        picture = np.full((height, width, 3), colour, np.int16)
        if word == "red":
            picture[80:140, 100:180] = (0, 0, 255)
        if word == "part":
            picture[60:180, 90:230] = (40, 50, 60)
            picture[60:180:6, 90:230] = (90, 90, 90)
        if word != "fault":
            picture += self._noise.integers(-2, 3, picture.shape, np.int16)
        return np.clip(picture, 0, 255).astype(np.uint8)


def create(config: CameraConfig, mqtt: MqttConfig | None) -> Synthetic:
    """Make the camera for a script of words."""
    del mqtt
    return Synthetic(split_source(config.source)[1], loop=config.loop, fps=config.fps or _FPS)
