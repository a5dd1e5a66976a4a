"""`edgeloupe cameras`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from edge.cli import main
from edge.picture import read_picture

if TYPE_CHECKING:
    from pathlib import Path


def test_a_snapshot_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cameras", "synthetic:plain", "--snapshot", str(tmp_path / "s.png")]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/s.png: 320x240\n"
    assert read_picture(tmp_path / "s.png").shape == (240, 320, 3)


def test_a_snapshot_of_a_configured_camera_is_straightened_unless_asked_raw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = {"source": "synthetic:plain", "geometry": {"crop": [0, 0, 100, 60]}}
    config = {"device": "d", "model": {"bundle": "b"}, "rules": {"spot": {}}, "cameras": {"table": camera}}
    (tmp_path / "e.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    command = ["cameras", "table", "-c", str(tmp_path / "e.yaml"), "--snapshot", str(tmp_path / "s.png")]
    assert main(command) == 0
    assert main([*command, "--raw"]) == 0
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == ["100x60", "320x240"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["v4l2:/dev/video99", "--snapshot", "s.png"], "/dev/video99: does not exist"),
        (["gopher:x", "--snapshot", "s.png"], "must be SCHEME:PLACE"),
        (["synthetic:crash", "--snapshot", "s.png"], "the process that read it ended by itself"),
        (["synthetic:plain", "--snapshot", "s.gif"], "end the name in .png or .jpg"),
        (["--snapshot", "s.png"], "name a source or a camera"),
    ],
)
def test_what_can_not_be_is_one_helpful_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cameras", *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_the_list_is_json_where_a_machine_reads(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["cameras", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == (0 if found else 1)
    assert all({"source", "name", "formats", "controls"} == one.keys() for one in found)
