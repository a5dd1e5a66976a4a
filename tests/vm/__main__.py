"""Run the guest's tests: `python -m tests.vm [--tcg] [PYTEST ARGUMENT…]`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.vm.machine import Machine, best_accelerator, ended_with
from tests.vm.parcel import write_parcel
from tests.vm.root import root

_GUEST = "tests/vm/guest"
_POWER = f"{_GUEST}/test_power_cut.py"
_WHOLE = f"{_POWER}::test_the_outbox_is_whole_and_has_every_alert_that_was_heard_of"
_CUT = f"{_POWER}::test_the_power_is_cut"
_CUTS = 2
_LIMIT_S = 3600.0
_SLOW = ", an emulated processor: every start takes a minute or more"


def main(arguments: list[str]) -> int:
    """Boot, test, cut the power some times while alerts are written, and look afterwards; 1 when anything failed."""
    began = time.monotonic()
    tcg = "--tcg" in arguments
    chosen = [word for word in arguments if word != "--tcg"]
    with tempfile.TemporaryDirectory(prefix="edgeloupe-vm-") as name:
        base = root()
        machine = Machine(root=base, folder=Path(name), accelerator="tcg" if tcg else best_accelerator(base))
        print(f"== booting on {machine.accelerator}{_SLOW if machine.accelerator == 'tcg' else ''}")
        machine.make_disk()
        good = _run(machine, chosen or [_GUEST, f"--ignore={_POWER}"])
        if not chosen:
            good &= _cut_power(machine)
    print(f"== {'all passed' if good else 'FAILED'} after {time.monotonic() - began:.0f} s")
    return int(not good)


def _cut_power(machine: Machine) -> bool:
    told: list[str] = []
    for cut in range(_CUTS + 1):
        last = cut == _CUTS
        print(f"== {'the last look' if last else f'power cut {cut + 1} of {_CUTS}'}: {len(told)} alerts were heard of")
        wanted = [*([_WHOLE] if cut else []), *([] if last else [_CUT])]
        if not _run(machine, wanted, told, cut=not last):
            return False
        heard = machine.told.read_text(encoding="utf-8").splitlines()
        if not last and not heard:
            print("== the guest ended before it had an alert to tell of, which is no cut of power; its console:")
            print(_last_lines(machine))
            return False
        told += heard
    return True


def _run(machine: Machine, arguments: list[str], told: list[str] | None = None, *, cut: bool = False) -> bool:
    """Boot once; give whether the tests passed, or whether the power went if it was to be `cut`."""
    began = time.monotonic()
    parcel = machine.folder / "parcel.tar"
    write_parcel(parcel, arguments, told or [])
    code, failed = None, False
    for line in machine.boot(parcel, _LIMIT_S):
        print(line, flush=True)
        code = ended_with(line) if code is None else code
        failed |= " FAILED" in line or " ERROR" in line
    print(f"== off after {time.monotonic() - began:.0f} s", flush=True)
    if code is None and not cut:
        print("== the guest ended without a result; its console:")
        print(_last_lines(machine))
    return code == 0 if not cut else code is None and not failed


def _last_lines(machine: Machine) -> str:
    return "\n".join(machine.console.read_text(encoding="utf-8", errors="replace").splitlines()[-40:])


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.exit(main(sys.argv[1:]))
