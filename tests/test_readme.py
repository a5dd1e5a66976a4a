"""Every code block of the README does what it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from edge.config import Config
from edge.strict_yaml import loads
from quantize.adopt import Adoption

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(
    r"^```(\w+)\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)
ENV = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def blocks(kind: str) -> list[str]:
    return [text for name, text in BLOCKS if name == kind]


def without_times(text: str) -> str:
    """Blank what differs between machines and runs."""
    return re.sub(r" +\d+\.\d ms", " T ms", text)


def test_every_block_is_of_a_kind_that_is_tried_here() -> None:
    assert {name for name, _ in BLOCKS} <= {"sh", "console", "python", "yaml", "json", "text"}


@pytest.mark.parametrize("block", blocks("console"))
def test_a_transcript_is_what_the_command_prints(block: str, tmp_path: Path) -> None:
    first, _, expected = block.partition("\n")
    command = shlex.split(first.removeprefix("$ "))
    for name in ("edge", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=ENV)
    printed = done.stdout + done.stderr + (f"[exit {done.returncode}]\n" if done.returncode else "")
    assert without_times(printed) == without_times(expected)


@pytest.mark.parametrize("block", blocks("python"))
def test_python_runs(block: str) -> None:
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("block", blocks("yaml"))
def test_the_configuration_and_the_card_are_valid(block: str) -> None:
    if "cameras:" in block:
        assert loads(block, "README.md", Config).cameras
    else:
        assert loads(block, "README.md", Adoption).focus


@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.splitlines()])
def test_a_command_line_names_things_that_exist(line: str) -> None:
    """These take minutes or root; here each `make` target and each `edgeloupe` option is checked to exist."""
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        assert subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, check=False).returncode == 0
    elif words[0] == "edgeloupe":
        told = subprocess.run(["edgeloupe", words[1], "--help"], capture_output=True, text=True, check=True, env=ENV)
        options = [word for word in words if word.startswith("-")]
        assert all(option in told.stdout for option in options)
    else:
        assert words[0] in ("pip", "install", "systemctl")
        files = [word for word in words if word.startswith(("requirements/", "systemd/"))]
        assert all((ROOT / file).is_file() for file in files)
