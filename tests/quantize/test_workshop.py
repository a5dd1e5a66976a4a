"""The whole way from a float file to a signed bundle."""

from __future__ import annotations

import argparse
import json
import re
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.bundle import open_bundle
from edge.commands import bundle as bundle_command
from edge.errors import BundleError, ModelError
from edge.segment import open_segmenter
from edge.selftest import calibration_light, selftest
from quantize.commands import evaluate, parity
from quantize.commands import quantize as quantize_command
from quantize.receipt import Receipt, receipt_of
from quantize.signing import public_key_path
from quantize.toy import HEIGHT, WIDTH, toy_card, write_toy_pictures
from quantize.workshop import VALIDATION_PICTURES, validation_pictures

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


def _run(module: ModuleType, *args: object) -> int:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return int(module.run(parser.parse_args([str(a) for a in args])))


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGELOUPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_the_bundle_passes_its_own_self_test_and_is_signed(toy_bundle: Path, key_file: Path) -> None:
    bundle = open_bundle(toy_bundle, trusted=[public_key_path(key_file)])
    assert bundle.trusted
    assert len(bundle.manifest.probe) == 3
    assert calibration_light(bundle) == bundle.manifest.light is not None
    for target, proof in receipt_of(bundle).targets.items():
        with open_segmenter(bundle, target, threads=1, stand_in=proof.measured) as segmenter:
            assert selftest(bundle, segmenter, target) > 0.9


def test_rare_defects_are_among_the_few_pictures_to_choose_by(tmp_path: Path) -> None:
    root = write_toy_pictures(tmp_path / "toys", train=1, val=3 * VALIDATION_PICTURES, test=1)
    masks = sorted((root / "masks").iterdir(), key=lambda path: int(path.stem))
    rare = {masks[place] for place in (1, 100)}
    for path in set(masks) - rare:
        cv2.imwrite(str(path), np.zeros((2 * HEIGHT, 2 * WIDTH), np.uint8))
    chosen = validation_pictures(root, toy_card())
    assert len(chosen) == VALIDATION_PICTURES
    assert {path.stem for path in rare} < {sample.picture.stem for sample in chosen}


def test_the_receipt_is_the_proof(toy_bundle: Path) -> None:
    bundle = open_bundle(toy_bundle)
    receipt = receipt_of(bundle)
    proof = receipt.targets["openvino"]
    assert proof.passed
    assert (receipt.dataset.name, receipt.dataset.split, receipt.dataset.pictures) == ("toys", "test", 6)
    assert receipt.processing_sha256 == bundle.manifest.processing.sha256
    assert proof.sha256 == bundle.manifest.files[bundle.manifest.targets["openvino"].entry].sha256
    assert proof.recipe == next(iter(proof.tried))
    assert proof.latency is not None
    assert proof.latency.ratio > 0
    slow = proof.model_copy(update={"latency": proof.latency.model_copy(update={"ratio": 1.2})})
    assert slow.speed == "1.20 of float's time in openvino, no gain over float"
    assert (proof.runtime, proof.measured.runtime) == ("openvino", "openvino")
    elsewhere = receipt.targets["jetson"]
    assert elsewhere.passed
    assert (elsewhere.runtime, elsewhere.measured.runtime, elsewhere.latency) == ("tensorrt", "onnxruntime", None)
    assert Receipt.model_validate_json(receipt.model_dump_json()) == receipt


def test_the_report_needs_no_network(toy_bundle: Path) -> None:
    page = open_bundle(toy_bundle).file("report.html").read_text(encoding="utf-8")
    assert "gate passed" in page
    assert "prefers-color-scheme: dark" in page
    assert page.count("data:image/jpeg;base64,") >= 15
    assert not re.search(r"https?://|<script|@import", page)


def test_a_gate_that_fails_writes_no_bundle_and_exits_1(
    network: Path, pictures: Path, key_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "toy.loupe"
    where = (network, "--data", pictures, "--target", "openvino", "-o", output, "--key", key_file)
    assert _run(quantize_command, *where, "--calibration", 4, "--threads", 1, "--min-agreement", 1.5) == 1
    assert not output.exists()
    told = capsys.readouterr().err
    assert "gate not passed, no bundle written: openvino: masks agree to" in told
    assert re.search(r"most sensitive layers +operator +mask lost", told)
    assert re.search(r"^openvino +nncf mixed, minmax ranges", told, re.MULTILINE)


def test_who_takes_a_bundle_that_fails_the_gate_stands_in_its_receipt(
    network: Path, pictures: Path, key_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "toy.loupe"
    where = (network, "--data", pictures, "--target", "cpu", "-o", output, "--key", key_file, "--calibration", 4)
    assert _run(quantize_command, *where, "--threads", 1, "--min-agreement", 1.5, "--accept", "R. Ek") == 0
    assert "gate not passed, accepted by R. Ek: cpu: masks agree to" in capsys.readouterr().err
    bundle = open_bundle(output)
    receipt = receipt_of(bundle)
    assert (receipt.accepted_by, receipt.targets["cpu"].passed) == ("R. Ek", False)
    assert "gate not passed, accepted by R. Ek" in bundle.file("report.html").read_text(encoding="utf-8")


def test_layers_that_stay_in_float_are_named_in_receipt_and_report(
    network: Path, pictures: Path, key_file: Path, tmp_path: Path
) -> None:
    output = tmp_path / "toy.loupe"
    where = (network, "--data", pictures, "--target", "cpu,jetson", "-o", output, "--key", key_file)
    strict = ("--calibration", 4, "--threads", 1, "--min-agreement", 0.99999, "--max-drop", 5, "--accept", "R. Ek")
    assert _run(quantize_command, *where, *strict) == 0
    bundle = open_bundle(output)
    page = bundle.file("report.html").read_text(encoding="utf-8")
    for proof in receipt_of(bundle).targets.values():
        assert 0 < len(proof.spared) <= len(receipt_of(bundle).sensitivity)
        assert f"{len(proof.spared)} layer" in proof.recipe
        assert f"<dt>In float</dt><dd>{', '.join(proof.spared)}</dd>" in page


def test_without_a_key_one_is_made_and_named(
    network: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "toy.loupe"
    where = (network, "--data", pictures, "--target", "openvino", "-o", output, "--max-drop", 5)
    assert _run(quantize_command, *where, "--min-agreement", 0.9, "--release", 7, "--json") == 0
    printed = capsys.readouterr()
    assert "new signing key" in printed.err
    assert json.loads(printed.out)["name"] == "toy"
    assert open_bundle(output).manifest.release == 7
    assert _run(bundle_command, "verify", output, "--json") == 0
    assert json.loads(capsys.readouterr().out)["self_test"].startswith("passed on 3 pictures")


def test_parity_measures_the_receipt_again(
    toy_bundle: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(parity, toy_bundle, "--data", pictures, "--json", "--threads", 1) == 0
    again = json.loads(capsys.readouterr().out)
    then = receipt_of(open_bundle(toy_bundle)).targets["openvino"].parity
    assert again["agreement"]["mean"] == pytest.approx(then.agreement.mean, abs=0.02)
    assert _run(parity, toy_bundle, "--data", pictures) == 0
    assert "spot masks of float and INT8 agree" in capsys.readouterr().out


def test_evaluate_prints_a_table_for_a_float_file_and_a_bundle(
    network: Path, toy_bundle: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for model in (network, toy_bundle):
        assert _run(evaluate, model, pictures, "--threads", 1) == 0
        assert "IoU spot" in capsys.readouterr().out


def test_an_unknown_target_is_refused_with_the_known_ones(network: Path, pictures: Path, key_file: Path) -> None:
    with pytest.raises(ModelError, match="target 'abacus': must be one of openvino"):
        _run(quantize_command, network, "--data", pictures, "--target", "abacus", "--key", key_file)


def test_bundle_info_shows_what_it_holds(scripted_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(bundle_command, "info", scripted_bundle) == 0
    shown = capsys.readouterr().out
    assert "good, spot" in shown
    assert "not checked: give --key" in shown


def test_bundle_verify_refuses_another_key(scripted_bundle: Path, key_file: Path) -> None:
    with pytest.raises(BundleError, match="is not trusted here"):
        _run(bundle_command, "verify", scripted_bundle, "--key", public_key_path(key_file))
