"""Machine: a virtual computer that QEMU runs, on the processor itself where it may and emulated elsewhere."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.vm.root import Root

_MEMORY_MIB = 2048
_PROBE_S = 20.0
_ENDED = "== ended with "


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One disk that keeps what was written, over as many boots as wanted; files of the run lie in `folder`."""

    root: Root
    folder: Path
    accelerator: str  # one of QEMU's: `kvm`, `tcg`

    @property
    def told(self) -> Path:
        """What the guest told beside its results: it outlives the guest's power."""
        return self.folder / "told"

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    def make_disk(self) -> None:
        """Begin anew, over the root that nobody writes."""
        command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(self.root.disk), str(self._disk)]
        subprocess.run(command, check=True)

    @property
    def _disk(self) -> Path:
        return self.folder / "disk.qcow2"

    def boot(self, parcel: Path, limit_s: float) -> Iterator[str]:
        """Run until the guest switches off, loses its power or `limit_s` have passed; give the lines it tells."""
        with subprocess.Popen(self._command(parcel), stdout=subprocess.PIPE, text=True, errors="replace") as process:
            guard = threading.Timer(limit_s, process.kill)
            guard.start()
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    yield line.rstrip("\n")
            finally:
                guard.cancel()
                process.kill()

    def _command(self, parcel: Path) -> list[str]:
        return [
            *_computer(self.accelerator, self.root), "-smp", "2", "-m", str(_MEMORY_MIB),
            "-initrd", str(self.root.initrd),
            "-append", "console=ttyS0 loglevel=4 panic=-1",
            "-drive", f"file={self._disk},format=qcow2,if=virtio",
            "-drive", f"file={parcel},format=raw,if=virtio,readonly=on",
            "-device", "virtio-rng-pci",
            "-device", "virtio-serial-pci",
            "-chardev", "file,id=results,path=/dev/stdout", "-device", "virtserialport,chardev=results,name=results",
            "-chardev", f"file,id=told,path={self.told}", "-device", "virtserialport,chardev=told,name=told",
            "-serial", f"file:{self.console}",
        ]  # fmt: skip


def best_accelerator(root: Root) -> str:
    """Give `kvm` where a kernel really starts on it, which the device's being there does not say; else `tcg`."""
    command = [*_computer("kvm", root), "-append", "console=ttyS0 panic=-1", "-serial", "file:/dev/stdout"]
    try:  # without a disk the kernel says its name, panics and is switched off
        said = subprocess.run(command, capture_output=True, timeout=_PROBE_S, check=False).stdout
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
    return "kvm" if b"Linux version" in said else "tcg"


def _computer(accelerator: str, root: Root) -> list[str]:
    return [
        "qemu-system-x86_64", "-M", "q35", "-accel", accelerator, "-cpu", "max", "-no-reboot",
        "-display", "none", "-monitor", "none", "-nic", "none", "-kernel", str(root.kernel),
    ]  # fmt: skip


def ended_with(line: str) -> int | None:
    """Give the tests' exit code, if this line tells it."""
    return int(line.removeprefix(_ENDED)) if line.startswith(_ENDED) else None
