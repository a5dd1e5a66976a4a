"""LiteRT's own ways."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import numpy as np

from edge.runtimes import litert
from quantize.flat_file import FlatFile

if TYPE_CHECKING:
    import pytest


def test_it_opens_without_a_word_and_what_others_write_meanwhile_is_kept(
    tmp_path_factory: pytest.TempPathFactory, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = FlatFile("two outputs")
    places = [file.tensor(name, (1, 4, 4, 1), np.float32) for name in "abc"]
    file.operator("RELU", 1, places[:1], places[1:2])
    file.operator("RELU6", 1, places[:1], places[2:])
    path = tmp_path_factory.mktemp("model") / "x.tflite"
    path.write_bytes(file.packed(places[:1], places[1:]))
    real = vars(litert)["Interpreter"]

    def chatty(*args: object, **options: object) -> object:
        os.write(2, b"somebody else's line\n")
        return real(*args, **options)

    monkeypatch.setattr(litert, "Interpreter", chatty)
    with litert.create(path, 1, 1):
        sys.stderr.write("afterwards\n")
    assert capfd.readouterr().err == "somebody else's line\nafterwards\n"
