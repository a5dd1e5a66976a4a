"""A smaller network that looks first."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.bundle import open_bundle
from edge.errors import BundleError
from edge.segment import Segmenter, open_segmenter
from edge.strict_yaml import loads
from edge.tile_config import TilingConfig
from edge.tiles.looks import open_looks
from edge.tiles.tiled import TiledSegmenter

if TYPE_CHECKING:
    from pathlib import Path


def test_a_camera_without_settings_is_looked_at_at_once(scripted_bundle: Path) -> None:
    bundle = open_bundle(scripted_bundle)
    with (
        open_segmenter(bundle) as segmenter,
        open_looks(
            segmenter, bundle, {"a": TilingConfig(), "b": loads("tiles: {}", "b", TilingConfig)}, {"spot"}
        ) as looks,
    ):
        assert isinstance(looks["a"], Segmenter)
        assert isinstance(looks["b"], TiledSegmenter)


@pytest.mark.parametrize(("tiles", "count"), [("", 1), ("tiles: {}, ", 13 * 13)])
def test_another_network_looks_first_and_the_result_says_so(scripted_bundle: Path, tiles: str, count: int) -> None:
    bundle = open_bundle(scripted_bundle)
    how = loads(f"{{{tiles}cascade: {{bundle: {json.dumps(str(scripted_bundle))}}}}}", "how", TilingConfig)
    picture = np.full((1200, 1600, 3), 128, np.uint8)
    with open_segmenter(bundle) as segmenter, open_looks(segmenter, bundle, {"a": how}, {"spot"}) as looks:
        mask = looks["a"].see(picture, looks["a"].prepare(picture))
        assert mask.coverage is not None
        assert (mask.coverage.tiles, mask.coverage.examined, mask.coverage.first_look) == (count, (), bundle.sha256)
        picture[300:400, 300:400] = (0, 0, 255)
        mask = looks["a"].see(picture, looks["a"].prepare(picture))
        assert mask.coverage is not None
        assert 0 < len(mask.coverage.examined) <= min(count, 16)
        assert mask.on_frame()[350, 350] == 1


def test_a_network_with_classes_of_its_own_can_not_look_first(scripted_bundle: Path) -> None:
    theirs = scripted_bundle.parents[0]
    shipped = "edge/demo/coffee-leaf.loupe"
    del theirs
    bundle = open_bundle(scripted_bundle)
    how = loads(f"cascade: {{bundle: {shipped}}}", "how", TilingConfig)
    with (
        open_segmenter(bundle) as segmenter,
        pytest.raises(BundleError, match=f"{shipped}: its class background is none of good, spot: for a first look"),
        open_looks(segmenter, bundle, {"a": how}, {"spot"}),
    ):
        pass


def test_a_damaged_network_is_not_looked_with(scripted_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(scripted_bundle, tmp_path / "b")
    (tmp_path / "b" / "model.txt").write_text("blue is a spot\n", encoding="utf-8")
    bundle = open_bundle(scripted_bundle)
    how = loads(f"cascade: {{bundle: {json.dumps(str(tmp_path / 'b'))}}}", "how", TilingConfig)
    with (
        open_segmenter(bundle) as segmenter,
        pytest.raises(BundleError),
        open_looks(segmenter, bundle, {"a": how}, {"spot"}),
    ):
        pass
