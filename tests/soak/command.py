"""Command: `python -m tests.soak.NAME [COUNT]` prints the figures of a run, and exits 1 if they are not clean."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Figures(Protocol):
    """What a run found."""

    @property
    def clean(self) -> bool:
        """Whether all of it is as it must be."""
        ...


def command(run: Callable[[int, Path], Figures], count: int, root: str | None = None) -> None:
    """Do `run` for `count` times, or for as many as the command line says, in a folder below `root`."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=root) as folder:
        figures = run(int(sys.argv[1]) if len(sys.argv) > 1 else count, Path(folder))
    print(figures, f"in {time.monotonic() - began:.0f} s")
    sys.exit(not figures.clean)
