"""The model that ships: its receipt, and the receipt measured again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.bundle import open_bundle
from edge.demo.appliance import BUNDLE, PICTURES
from models.card import ModelCard
from quantize.fold import load_model
from quantize.receipt import receipt_of

ROOT = Path(__file__).parents[2]
PLAIN = ROOT / "models" / "pretrained" / "coffee-leaf.onnx"
REFERENCE = json.loads((ROOT / "tests" / "data" / "accuracy.json").read_text(encoding="utf-8"))["coffee-leaf"]


def parity(data: Path) -> tuple[int, dict[str, dict[str, object]]]:
    command = [sys.executable, "-m", "edge.cli", "parity", str(BUNDLE), "--data", str(data), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def shipped_pictures(tmp_path: Path) -> Path:
    shutil.copytree(PICTURES, tmp_path / "images")
    shutil.copytree(ROOT / "tests" / "data" / "coffee" / "masks", tmp_path / "masks")
    return tmp_path


def test_the_receipt_says_that_nothing_was_lost() -> None:
    told = receipt_of(open_bundle(BUNDLE)).targets["openvino"].parity
    assert told.drop_points["lesion"] <= 0.5
    assert told.agreement.mean >= 0.95


def test_the_receipt_is_the_committed_reference() -> None:
    """A model that is worse, or better, shows as a difference in tests/data/accuracy.json."""
    told = receipt_of(open_bundle(BUNDLE))
    for form, quality in (
        ("float", told.targets["openvino"].parity.float_),
        ("int8", told.targets["openvino"].parity.int8),
    ):
        assert REFERENCE[form]["iou"] == {name: round(iou or 0.0, 4) for name, iou in quality.iou.items()}
        assert REFERENCE[form]["severity_error_points"] == round(quality.severity.mean_points, 3)
    assert REFERENCE["agreement"] == round(told.targets["openvino"].parity.agreement.mean, 4)


def test_the_bundle_was_made_from_the_float_model_beside_it() -> None:
    _, card = load_model(PLAIN)
    manifest = open_bundle(BUNDLE).manifest
    assert isinstance(card, ModelCard)
    assert manifest.name == card.name
    assert manifest.class_names == tuple(c.name for c in card.classes)
    assert manifest.licence == card.licence == "MIT"


def test_parity_holds_on_the_pictures_that_ship(shipped_pictures: Path) -> None:
    code, told = parity(shipped_pictures)
    assert code == 0
    assert told["agreement"]["mean"] >= 0.95  # type: ignore[operator]


def test_the_receipt_is_what_the_full_test_split_gives(coffee: Path) -> None:
    code, told = parity(coffee)
    assert code == 0
    for form in ("float", "int8"):
        iou = told[form]["iou"]
        assert iou["lesion"] == pytest.approx(REFERENCE[form]["iou"]["lesion"], abs=0.002)  # type: ignore[index]
