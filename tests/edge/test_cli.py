"""The command line: help that is quick, commands that a device has, errors that are one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge import cli

WORKSHOP_ONLY = ("torch", "nncf", "onnx", "onnxruntime", "sklearn", "scipy")
AS_A_DEVICE = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {WORKSHOP_ONLY}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in {WORKSHOP_ONLY} else real(name, package)
sys.meta_path.insert(0, Absent())
from edge.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""Runs the program as on a machine that has none of the workshop's packages."""
DEMO = Path(__file__).parents[2] / "edge" / "demo"


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "edge.cli", *args], capture_output=True, text=True, check=False)


def run_on_a_device(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", AS_A_DEVICE, *args]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_command_has_one_line_of_help_and_explains_itself() -> None:
    for name, entry in cli.commands().items():
        command = entry.load()
        assert command.HELP
        assert "\n" not in command.HELP
        assert run(name, "--help").returncode == 0


def test_help_imports_neither_pictures_nor_networks() -> None:
    code = "import sys; from edge.cli import main\ntry: main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "cv2", "torch", "nncf", "onnx", "onnxruntime", "openvino", "fastapi", "pydantic"}
    assert not heavy & set(done.stdout.splitlines()[-1].split())


def test_a_device_shows_only_the_commands_it_has() -> None:
    shown = run_on_a_device("--help").stdout
    for name in ("run", "check", "inspect", "demo", "listen", "bundle", "bench"):
        assert f"\n    {name} " in shown
    for name in ("train", "export", "quantize", "evaluate", "parity"):
        assert f"\n    {name} " not in shown


def test_a_command_that_is_not_here_says_what_to_install() -> None:
    done = run_on_a_device("train", "x.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "edgeloupe: train needs torch: pip install 'edgeloupe[workshop]'\n"


def test_a_device_inspects_a_picture_without_any_package_of_the_workshop() -> None:
    done = run_on_a_device("inspect", str(DEMO / "coffee-leaf.loupe"), str(DEMO / "pictures" / "leaf-04.jpg"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "NotOK" in done.stdout


def test_bad_use_exits_with_2() -> None:
    assert run().returncode == 2
    assert run("frobnicate").returncode == 2
    assert run("run", "--colour").returncode == 2


def test_a_closed_pipe_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli", "bundle", "info", str(DEMO / "coffee-leaf.loupe")],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("inspect", "none.loupe", "a.jpg"), "none.loupe"),
        (("run", "-c", "none.yaml"), "none.yaml: No such file or directory: give a YAML file that can be read"),
        (("bundle", "verify", "none.loupe"), "none.loupe"),
        (("bench", "none.loupe"), "none.loupe"),
        (("listen", "--port", "1", "--count", "1"), "127.0.0.1:1"),
    ],
)
def test_what_is_missing_is_one_line_and_exit_code_2(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("edgeloupe: ")
    assert said in done.stderr
