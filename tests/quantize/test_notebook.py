"""What a run has measured, kept until it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydantic import TypeAdapter

from edge.errors import BundleError
from quantize.notebook import Notebook, key_of

if TYPE_CHECKING:
    from pathlib import Path

NUMBER = TypeAdapter(float)


def test_what_was_measured_before_a_stop_is_not_measured_again(tmp_path: Path) -> None:
    assert Notebook(tmp_path / "notes").recall("a", NUMBER, lambda: 0.25) == 0.25
    assert Notebook(tmp_path / "notes").recall("a", NUMBER, lambda: pytest.fail("measured again")) == 0.25


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"a": "x"}', '{"a": 3}'])
def test_damaged_notes_are_measured_again(damage: str, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text(damage)
    assert Notebook(tmp_path / "notes").recall("a", NUMBER, lambda: 0.5) == 0.5


def test_a_place_that_cannot_be_written_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="give another place with -o"):
        Notebook(tmp_path / "file" / "notes")


def test_nothing_is_left_when_a_run_ends(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path / "notes")
    notebook.recall("a", NUMBER, lambda: 0.25)
    notebook.close()
    assert not list(tmp_path.iterdir())


def test_a_key_changes_with_everything_it_is_made_of(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"1")
    keys = [key_of("parity", "openvino", tmp_path / "f", np.zeros(3, np.uint8))]
    (tmp_path / "f").write_bytes(b"2")
    keys.append(key_of("parity", "openvino", tmp_path / "f", np.zeros(3, np.uint8)))
    keys.append(key_of("parity", "litert", tmp_path / "f", np.zeros(3, np.uint8)))
    keys.append(key_of("parity", "litert", tmp_path / "f", np.ones(3, np.uint8)))
    assert len(set(keys)) == 4
