"""Pseudo-labels: what is sure has a class, the rest is ignored, and the data set says so when it is read."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.errors import ConfigError, DatasetError
from edge.mask import Mask
from edge.picture import read_picture
from models.annotation import IGNORE
from models.datasets import open_dataset
from models.pictures import Pictures
from quantize.commands import pseudo as command
from quantize.evaluate import open_model
from quantize.pseudo import Band, Labelled, pseudo_label, sure_classes

if TYPE_CHECKING:
    from pathlib import Path


def label(network: Path, pictures: Path, out: Path, band: Band | None = None) -> Labelled:
    with open_model(network, threads=1) as model:
        return pseudo_label(model, Pictures(pictures).paths, out, band or Band())


def test_only_what_is_sure_has_a_class() -> None:
    classes = np.array([[0, 0, 1, 1]], np.uint8)
    scores = np.array([[250, 180, 200, 254]], np.uint8)
    mask = Mask(classes=classes, scores=scores, frame_width=4, frame_height=1)
    assert sure_classes(mask, Band(sure=0.9, sure_good=0.9)).tolist() == [[0, IGNORE, IGNORE, 1]]
    assert sure_classes(mask, Band(sure=0.75, sure_good=0.9)).tolist() == [[0, IGNORE, 1, 1]]
    assert sure_classes(mask, Band(sure=0.9, sure_good=0.7)).tolist() == [[0, 0, IGNORE, 1]]


def test_outlines_are_ignored_where_two_sure_classes_meet() -> None:
    classes = np.repeat(np.array([[0, 1]], np.uint8), 2, axis=0)
    mask = Mask(classes=classes, scores=np.full((2, 2), 255, np.uint8), frame_width=40, frame_height=2)
    found = sure_classes(mask, Band())[0]
    assert (found[:10] == 0).all()
    assert (found[30:] == 1).all()
    assert (found[17:23] == IGNORE).all()


def test_what_is_written_reads_back_with_its_ignored_pixels(network: Path, pictures: Path, tmp_path: Path) -> None:
    done = label(network, pictures / "images", tmp_path / "labels")
    data = open_dataset(tmp_path / "labels").sound()
    assert data.format == "masks"
    assert data.labels == ("good", "spot")
    assert done.written == len(data.samples) == len(Pictures(pictures / "images").paths)
    with open_model(network, threads=1) as model:
        for sample in data.samples:
            mask = model.see(read_picture(sample.picture)).mask
            assert mask is not None
            assert np.array_equal(sample.class_map(model.classes), sure_classes(mask, Band()))
    found = np.concatenate([s.class_map(model.classes).ravel() for s in data.samples])
    assert set(found.tolist()) == {0, 1, IGNORE}
    assert done.known == pytest.approx((found != IGNORE).mean())
    assert done.shares[1] == pytest.approx((found == 1).sum() / (found != IGNORE).sum())


def test_ignored_stays_ignored_where_no_defect_is_sure(network: Path, tmp_path: Path) -> None:
    picture = np.full((192, 320, 3), 120, np.uint8)
    picture[60:120, 100:200] = (100, 100, 190)  # reddish: good is as likely as a spot
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    label(network, tmp_path, tmp_path / "labels", Band(sure=0.99))
    (sample,) = open_dataset(tmp_path / "labels").sound().samples
    with open_model(network, threads=1) as model:
        assert set(np.unique(sample.class_map(model.classes))) == {0, IGNORE}


def test_pictures_of_which_little_is_sure_are_left_out(network: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="none is known well enough"):
        label(network, pictures / "images", tmp_path / "labels", Band(sure=1, sure_good=1, known=1.0))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(network: Path, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(DatasetError, match="must be a new or empty folder"):
        label(network, pictures / "images", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_pictures_of_one_name_from_two_folders_both_stay(network: Path, tmp_path: Path) -> None:
    for place, grey in (("a", 90), ("b", 160)):
        (tmp_path / "in" / place).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "in" / place / "1.png"), np.full((96, 160, 3), grey, np.uint8))
    assert label(network, tmp_path / "in", tmp_path / "labels").written == 2
    seen = {int(read_picture(s.picture).mean()) for s in open_dataset(tmp_path / "labels").samples}
    assert seen == {90, 160}


def run(*args: str | Path) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(arg) for arg in args]))


def test_a_bundle_can_label_too(
    toy_bundle: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(toy_bundle, pictures / "images", "-o", tmp_path / "labels", "--threads", "1") == 0
    assert "of the sure pixels" in capsys.readouterr().out
    first = (tmp_path / "labels" / "classes.txt").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# by toy, openvino, sha256 ")


def test_a_probability_that_is_none_is_refused(network: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--sure 0\.3: must be between 0\.5 and 1"):
        run(network, pictures, "-o", tmp_path / "labels", "--sure", "0.3")


def test_a_folder_without_pictures_is_named(network: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no pictures"):
        run(network, tmp_path / "empty", "-o", tmp_path / "labels")
