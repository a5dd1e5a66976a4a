"""Parcel: this checkout's device part, its unit files and the guest's tests, as one archive that the guest unpacks."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = Path(__file__).parents[2]
_PLACE = "opt/parcel"
_TESTS = ("appliance.py", "brokers.py", "conftest.py", "scripted.py", "vm/guest")
_CARRIED = ("pyproject.toml", "systemd", *(f"tests/{name}" for name in _TESTS))


def write_parcel(path: Path, arguments: Sequence[str], told: Sequence[str] = ()) -> None:
    """Write the archive `path`; the guest runs pytest with `arguments`. `told` is what it said before it lost power."""
    with tempfile.TemporaryDirectory() as name, tarfile.open(path, "w") as archive:
        build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", name]
        subprocess.run(build, cwd=_ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (wheel,) = Path(name).iterdir()
        archive.add(wheel, f"{_PLACE}/{wheel.name}")
        archive.add(Path(__file__).with_name("guest-run"), f"{_PLACE}/run")
        for carried in _CARRIED:
            archive.add(_ROOT / carried, f"{_PLACE}/{carried}", filter=_without_caches)
        _add_text(archive, "arguments", "\n".join(arguments))
        _add_text(archive, "told.json", json.dumps(list(told)))


def _without_caches(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in info.name else info


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    info = tarfile.TarInfo(f"{_PLACE}/{name}")
    info.size = len(text.encode())
    archive.addfile(info, io.BytesIO(text.encode()))
