"""Packaging: a folder becomes a .loupe file."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from edge.bundle import open_bundle
from edge.errors import BundleError
from quantize.package import pack

if TYPE_CHECKING:
    from pathlib import Path


def test_the_same_folder_always_gives_the_same_bytes(scripted_bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(scripted_bundle, copy)
    for path in copy.rglob("*"):
        path.touch()
    pack(scripted_bundle, tmp_path / "a.loupe")
    pack(copy, tmp_path / "b.loupe")
    assert (tmp_path / "a.loupe").read_bytes() == (tmp_path / "b.loupe").read_bytes()


def test_what_was_packed_can_be_opened(scripted_bundle: Path, tmp_path: Path) -> None:
    pack(scripted_bundle, tmp_path / "a.loupe")
    bundle = open_bundle(tmp_path / "a.loupe", cache_dir=tmp_path / "cache")
    assert bundle.sha256 == open_bundle(scripted_bundle).sha256
    assert not list(tmp_path.glob(".*"))


def test_a_place_that_cannot_be_written_leaves_nothing_behind(scripted_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BundleError, match="give another place with -o"):
        pack(scripted_bundle, tmp_path / "file" / "a.loupe")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
