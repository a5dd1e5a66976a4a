"""`edgeloupe inspect` on the pictures and the model that ship."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.rle import Rle, decode

ROOT = Path(__file__).parents[3]
BUNDLE, PICTURES = ROOT / "edge" / "demo" / "coffee-leaf.loupe", ROOT / "edge" / "demo" / "pictures"
TRUTH = ROOT / "tests" / "data" / "coffee" / "masks"


def inspect(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge.cli", "inspect", str(BUNDLE), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def results() -> list[dict[str, Any]]:
    done = inspect(PICTURES, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def drawn(result: dict[str, Any]) -> np.ndarray:
    frame = np.zeros((result["frame"]["height"], result["frame"]["width"]), np.uint8)
    for region in result["regions"]:
        frame |= decode(Rle(tuple(region["segmentation"]["size"]), region["segmentation"]["counts"]))
    return frame


def test_healthy_leaves_are_ok_and_diseased_ones_are_not(results: list[dict[str, Any]]) -> None:
    for result in results:
        truth = cv2.imread(str(TRUTH / f"{Path(result['picture']).stem}.png"))
        assert truth is not None
        diseased = bool((truth[:, :, 2] == 255).any())
        assert result["result_evaluation"] == ("NotOK" if diseased else "OK"), result["picture"]


def test_lesions_lie_where_people_drew_them(results: list[dict[str, Any]]) -> None:
    both = either = 0
    for result in results:
        truth = cv2.imread(str(TRUTH / f"{Path(result['picture']).stem}.png"))
        assert truth is not None
        found, wanted = drawn(result) > 0, truth[:, :, 2] == 255
        both += int((found & wanted).sum())
        either += int((found | wanted).sum())
    assert both / either > 0.75


def test_overlays_and_masks_have_the_size_of_the_picture(tmp_path: Path) -> None:
    done = inspect(PICTURES / "leaf-04.jpg", "--overlay", tmp_path / "o", "--masks", tmp_path / "m")
    assert done.returncode == 0
    mask = cv2.imread(str(tmp_path / "m" / "leaf-04.png"), cv2.IMREAD_UNCHANGED)
    overlay = cv2.imread(str(tmp_path / "o" / "leaf-04.jpg"))
    assert mask is not None
    assert overlay is not None
    assert mask.shape == (512, 1024) == overlay.shape[:2]
    assert set(np.unique(mask)) == {0, 1, 2}


def test_an_unreadable_picture_is_told_and_the_others_are_inspected(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    shutil.copy(PICTURES / "leaf-01.jpg", tmp_path / "b.jpg")
    done = inspect(tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"edgeloupe: {tmp_path}/a.jpg: not a picture that can be read: "
        "use JPEG or PNG, and check that the file is whole\n"
    )
    assert "b.jpg" in done.stdout


def test_fail_on_notok_answers_with_the_exit_code() -> None:
    assert inspect(PICTURES / "leaf-04.jpg", "--fail-on-notok").returncode == 1
    assert inspect(PICTURES / "leaf-01.jpg", "--fail-on-notok").returncode == 0
