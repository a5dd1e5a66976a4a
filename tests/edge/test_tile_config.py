"""Settings of regions of interest, tiles and cascades, in the file and on the command line."""

from __future__ import annotations

import argparse

import pytest

from edge.errors import ConfigError
from edge.strict_yaml import loads
from edge.tile_config import TilesConfig, TilingConfig
from edge.tiles.options import add_tile_options, read_tile_options


def test_a_rectangle_and_a_polygon_are_both_read_as_corners() -> None:
    assert loads("roi: [10, 20, 100, 50]", "x", TilingConfig).roi == ((10, 20), (110, 20), (110, 70), (10, 70))
    assert loads("roi: [[0, 0], [90, 0], [0, 90]]", "x", TilingConfig).roi == ((0, 0), (90, 0), (0, 90))


def test_a_configuration_survives_being_written_and_read() -> None:
    how = loads("{roi: [10, 20, 100, 50], tiles: {size: [512, 512]}}", "x", TilingConfig)
    assert TilingConfig.model_validate_json(how.model_dump_json()) == how


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("roi: [1, 2, 3]", "x:1: roi = [1, 2, 3]: must be [x, y, width, height], or three or more corners"),
        ("roi: [[1, 2], [3]]", "three or more corners"),
        ("roi: belt", "three or more corners"),
        ("roi: [0, 0, 10, 100]", "must be at least 16 pixels wide and high"),
        ("roi: [-5, 0, 100, 100]", "must lie between 0 and 65535"),
        ("tiles: {size: [512]}", "x:1: tiles.size"),
        ("tiles: {size: [4, 512]}", "x:1: tiles.size.0 = 4: should be greater than or equal to 16"),
        ("tiles: {overlap: 0.9}", "x:1: tiles.overlap = 0.9: should be less than or equal to 0.5"),
        ("tiles: {overlaps: 0.1}", "unknown key 'tiles.overlaps': did you mean 'overlap'?"),
        ("tiles: {most: 0}", "x:1: tiles.most = 0"),
        ("cascade: {}", "its two looks would be the same: add tiles, or cascade.bundle"),
        ("{tiles: {}, cascade: {unsure_below: 2}}", "x:1: cascade.unsure_below = 2: should be less than or equal to 1"),
    ],
)
def test_a_mistake_is_told_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(text, "x", TilingConfig)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def read(*options: str) -> TilingConfig:
    parser = argparse.ArgumentParser()
    add_tile_options(parser)
    return read_tile_options(parser.parse_args(options))


def test_options_say_the_same_as_the_file() -> None:
    assert read() == TilingConfig()
    assert read("--tiles").tiles == TilesConfig()
    assert read("--tiles", "1024x512", "--overlap", "0.1", "--whole").tiles == TilesConfig(
        size=(1024, 512), overlap=0.1, whole=True
    )
    assert read("--roi", "10,20,100,50").roi == ((10, 20), (110, 20), (110, 70), (10, 70))
    assert read("--roi", "0,0,90,0,0,90").roi == ((0, 0), (90, 0), (0, 90))
    cascade = read("--tiles", "--cascade", "0.8").cascade
    assert cascade is not None
    assert cascade.unsure_below == 0.8


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--tiles", "large"), "'large': give whole numbers, such as 640x480"),
        (("--tiles", "8x8"), "tiles.size.0 = 8"),
        (("--overlap", "0.1"), "add --tiles"),
        (("--whole",), "add --tiles"),
        (("--roi", "1,2,3"), "three or more corners"),
        (("--cascade",), "add tiles, or cascade.bundle"),
    ],
)
def test_options_that_make_no_sense_are_told(options: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(*options)
    assert said in str(caught.value)
