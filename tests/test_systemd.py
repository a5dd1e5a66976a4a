"""The unit file, as systemd's own tools read it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[1] / "systemd" / "edgeloupe.service"
MOST_EXPOSED = 20
"""Of 100, by `systemd-analyze security`."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists here in the place of the installed one."""
    assert shutil.which("systemd-analyze"), "systemd-analyze is missing: run `make system`"
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/usr/bin/true", UNIT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    path = tmp_path / UNIT.name
    path.write_text(text, encoding="utf-8")
    return path


def test_systemd_finds_no_fault_in_the_unit(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "edgeloupe" in line]
    assert (done.returncode, said) == (0, [])


def test_the_sandbox_stays_narrow(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]
