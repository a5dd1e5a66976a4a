"""The Edge TPU: what is said where it, its library or its compiler is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge import runtimes
from edge.errors import ModelError
from edge.runtimes.edgetpu import COMPILED
from quantize.fold import fold
from quantize.tflite import write_tflite
from quantize.toy import toy_card, toy_network

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_that_would_run_on_the_processor_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(write_tflite(fold(toy_network(), toy_card()), None))
    with pytest.raises(ModelError, match="is not compiled for the Edge TPU"), runtimes.create("edgetpu", path):
        pass


def test_without_the_library_it_says_what_to_install(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(bytes(4) + b"TFL3" + COMPILED)
    with pytest.raises(ModelError, match=r"libedgetpu\.so\.1 or the chip is missing"), runtimes.create("edgetpu", path):
        pass
    assert runtimes.installed("edgetpu") is None
