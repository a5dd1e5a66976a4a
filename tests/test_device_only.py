"""A machine with nothing but what a device installs: pinned, hashed, and enough for the main job."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORKSHOP_ONLY = ("torch", "nncf", "onnx", "onnxruntime")


@pytest.fixture(scope="module", params=["device.txt", "device-litert.txt"])
def device(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a fresh environment made from pinned requirements and this project."""
    folder = tmp_path_factory.mktemp("device")
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    pip = [str(folder / "env" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements" / request.param)], check=True)
    source = folder / "source"  # building leaves files behind
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".venv", ".git", "*_cache", "__pycache__"))
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", str(source)], check=True)
    return folder / "env" / "bin"


@pytest.mark.timeout(600)
def test_nothing_of_the_workshop_is_there(device: Path) -> None:
    code = f"import importlib.util as u; print([n for n in {WORKSHOP_ONLY} if u.find_spec(n)])"
    done = subprocess.run([device / "python", "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.strip() == "[]"


@pytest.mark.timeout(600)
def test_the_installed_package_helps_and_inspects(device: Path) -> None:
    helped = subprocess.run([device / "edgeloupe", "--help"], capture_output=True, text=True, check=True, cwd="/")
    assert "\n    run " in helped.stdout
    assert "\n    train " not in helped.stdout
    where = "from edge.demo import appliance as a; print(a.BUNDLE, a.PICTURES)"
    told = subprocess.run([device / "python", "-c", where], capture_output=True, text=True, check=True, cwd="/")
    bundle, pictures = told.stdout.split()
    assert str(device.parent) in bundle
    done = subprocess.run(
        [device / "edgeloupe", "inspect", bundle, pictures], capture_output=True, text=True, check=False, cwd="/"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {"OK", "NotOK"} <= set(done.stdout.split())
