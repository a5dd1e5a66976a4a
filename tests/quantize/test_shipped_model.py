"""The model that ships: its receipt, and the receipt measured again."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import open_bundle
from edge.demo.appliance import BUNDLE, PICTURES
from edge.runtimes.openvino import core
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
    targets = receipt_of(open_bundle(BUNDLE)).targets
    assert set(targets) == set(REFERENCE["int8"])
    for proof in targets.values():
        assert proof.parity.drop_points["lesion"] <= 0.2
        assert proof.parity.agreement.mean >= 0.97
        assert proof.parity.agreement.p10 >= 0.85


def test_the_receipt_is_the_committed_reference() -> None:
    """A model that is worse, or better, shows as a difference in tests/data/accuracy.json."""
    for target, proof in receipt_of(open_bundle(BUNDLE)).targets.items():
        then = REFERENCE["int8"][target]
        for known, quality in ((REFERENCE["float"], proof.parity.float_), (then, proof.parity.int8)):
            assert known["iou"] == {name: round(iou or 0.0, 4) for name, iou in quality.iou.items()}
            assert known["severity_error_points"] == round(quality.severity.mean_points, 3)
        assert then["agreement"] == round(proof.parity.agreement.mean, 4)


def test_the_bundle_was_made_from_the_float_model_beside_it() -> None:
    _, card = load_model(PLAIN)
    manifest = open_bundle(BUNDLE).manifest
    assert isinstance(card, ModelCard)
    assert manifest.name == card.name
    assert manifest.class_names == tuple(c.name for c in card.classes)
    assert manifest.licence == card.licence == "MIT"


def test_openvino_hears_which_kernels_are_wished_for_and_they_give_the_same(tmp_path: Path) -> None:
    bundle = open_bundle(BUNDLE)
    wished, plain = bundle.file(bundle.manifest.targets["openvino"].entry), tmp_path / "plain.xml"
    wish = r'<rt_info><attribute name="primitives_priority" version="0" value="cpu:jit_avx512(_1x1)?"\s*/></rt_info>'
    text, wishes = re.subn(wish, "", wished.read_text("utf-8"))
    plain.write_text(text, "utf-8")
    shutil.copy(wished.with_suffix(".bin"), plain.with_suffix(".bin"))
    assert wishes > 30
    given = bundle.manifest.input
    picture = np.random.default_rng(0).integers(0, 256, (1, given.height, given.width, 3), np.uint8)
    kernels, answers = [], []
    for path in (wished, plain):
        compiled = core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        told = [op.get_rt_info() for op in compiled.get_runtime_model().get_ops()]
        kernels.append([str(info["primitiveType"]) for info in told if str(info["layerType"]) == "Convolution"])
        answers.append(list(compiled([picture]).values()))
    assert kernels[0] == [kernel.replace("brgconv_avx512", "jit_avx512") for kernel in kernels[1]]
    assert all(np.array_equal(one, other) for one, other in zip(*answers, strict=True))


def test_parity_holds_on_the_pictures_that_ship(shipped_pictures: Path) -> None:
    code, told = parity(shipped_pictures)
    assert code == 0
    assert told["agreement"]["mean"] >= 0.95  # type: ignore[operator]


def test_the_receipt_is_what_the_full_test_split_gives(coffee: Path) -> None:
    code, told = parity(coffee)
    assert code == 0
    for form, then in (("float", REFERENCE["float"]), ("int8", REFERENCE["int8"]["openvino"])):
        iou = told[form]["iou"]
        assert iou["lesion"] == pytest.approx(then["iou"]["lesion"], abs=0.002)  # type: ignore[index]
