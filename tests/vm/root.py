"""Root: what the guest boots from, built once for each set of packages and kept outside the repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_REQUIREMENTS = _HERE.parents[1] / "requirements"
_MADE_OF = (
    _HERE / "build-root",
    _HERE / "early-init",
    _HERE / "parcel.service",
    _REQUIREMENTS / "device.txt",
    _REQUIREMENTS / "vm.txt",
)


@dataclass(frozen=True, slots=True)
class Root:
    """Files that QEMU boots; the disk is never written."""

    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "disk.img"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"


def root() -> Root:
    """Give the root for this checkout's packages, building it first where there is none; older ones are removed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgeloupe" / "vm"
    key = hashlib.sha256(b"".join(path.read_bytes() for path in _MADE_OF)).hexdigest()[:16]
    folder = cache / key
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        partial = cache / f"{key}.partial"
        _as_root("rm", "-rf", str(partial))
        partial.mkdir()
        _as_root(str(_HERE / "build-root"), str(partial))
        partial.rename(folder)
        for old in cache.iterdir():
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)
    return Root(folder)


def _as_root(*command: str) -> None:
    subprocess.run([*([] if os.geteuid() == 0 else ["sudo"]), *command], check=True)
