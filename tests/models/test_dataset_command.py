"""`edgeloupe dataset`: what people and machines read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageFilter

from edge.cli import BAD_USE, DONE, NO, main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twelve scenes, two shots of each; a blob on every scene but each third."""
    for name in ("images", "masks"):
        (tmp_path / "set" / name).mkdir(parents=True)
    for number in range(12):
        rng = np.random.default_rng(number)
        scene = Image.fromarray(rng.integers(0, 255, (48, 64), np.uint8)).filter(ImageFilter.GaussianBlur(2))
        mask = np.zeros((48, 64), np.uint8)
        mask[10:20, 10:20] = 0 if number % 3 == 0 else 1
        for shot, gain in (("a", 1.0), ("b", 0.8)):
            scene.point([round(v * gain) for v in range(256)]).save(tmp_path / "set" / "images" / f"{number}{shot}.png")
            Image.fromarray(mask).save(tmp_path / "set" / "masks" / f"{number}{shot}.png")
    return tmp_path / "set"


def test_splitting_keeps_shots_together_and_info_finds_no_leak(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "info", str(root)]) == DONE
    assert f"edgeloupe dataset split {root}" in capsys.readouterr().out
    assert main(["dataset", "split", str(root), "--seed", "4"]) == DONE
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["split", "pictures", "groups", "clean", "1"]
    assert sum(int(line.split()[2]) for line in out.splitlines()[1:4]) == 12
    assert "seed 4" in out
    assert main(["dataset", "info", str(root)]) == DONE
    assert "no leak" in capsys.readouterr().out


def test_lists_that_are_there_are_only_overwritten_by_force(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "split", str(root)]) == DONE
    before = (root / "train.csv").read_bytes()
    assert main(["dataset", "split", str(root), "--seed", "2"]) == BAD_USE
    assert "--force overwrites them" in capsys.readouterr().err
    assert (root / "train.csv").read_bytes() == before
    assert main(["dataset", "split", str(root), "--seed", "2", "--force"]) == DONE
    assert (root / "train.csv").read_bytes() != before


def test_groups_are_read_from_file_names(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "split", str(root), "--no-look-alikes", "--group-by", r"^(\d+)[ab]"]) == DONE
    out = capsys.readouterr().out
    assert sum(int(line.split()[2]) for line in out.splitlines()[1:4]) == 12
    settings = json.loads((root / "splits.json").read_text(encoding="utf-8"))
    assert (settings["group_by"], settings["similarity"], settings["val"]) == (r"^(\d+)[ab]", None, 0.15)


def test_a_split_by_chance_is_shown_to_leak(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = sorted(path.name for path in (root / "images").iterdir())
    for split, part in {"train": names[:15], "val": names[15:20], "test": names[20:]}.items():
        (root / f"{split}.csv").write_text("\n".join(["image", *(f"images/{n}" for n in part), ""]), encoding="utf-8")
    assert main(["dataset", "info", str(root), "--json"]) == NO
    facts = json.loads(capsys.readouterr().out)
    assert facts["leaks"]["pictures"] == {"train": 1, "val": 1, "test": 0}
    assert main(["dataset", "info", str(root)]) == NO
    out = capsys.readouterr().out
    assert "leak: pictures that look like one in another split: 1 of 15 in train, 1 of 5 in val" in out
    assert "--force" in out
    assert main(["dataset", "info", str(root), "--no-look-alikes"]) == DONE


def test_broken_files_are_listed_with_exit_code_1(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(1, 12):
        for shot in "ab":
            (root / "masks" / f"{number}{shot}.png").write_bytes(b"no")
    assert main(["dataset", "info", str(root)]) == NO
    out = capsys.readouterr().out
    assert "broken: 22" in out
    assert "and 2 more" in out
    assert main(["dataset", "split", str(root)]) == BAD_USE


def test_a_data_set_none_of_whose_pictures_can_be_used_is_said_to_be_so(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (root / "images").iterdir():
        path.write_bytes(b"no")
    assert main(["dataset", "info", str(root)]) == NO
    assert "no picture that can be used" in capsys.readouterr().out


def test_converting_says_what_was_written(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = tmp_path / "new"
    assert main(["dataset", "convert", str(root), str(new), "--to", "yolo", "--classes", "spot=1"]) == DONE
    out = capsys.readouterr().out
    assert "spot        16" in out
    assert f"24 pictures written to {new}" in out
    assert main(["dataset", "convert", str(root), str(new)]) == BAD_USE


def test_nothing_that_is_recognised_is_bad_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "info", str(tmp_path)]) == BAD_USE
    assert capsys.readouterr().err.startswith("edgeloupe: ")
