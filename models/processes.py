"""Processes: one training run in several processes, as `torchrun` starts them, and the device each one works on."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from torch import distributed

from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT = timedelta(hours=4)
"""The others wait while the first process validates."""

ALONE = {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}
"""What `torchrun` sets, and what it is without it."""


@dataclass(frozen=True, slots=True)
class Team:
    """This process among those that train together."""

    device: torch.device
    rank: int = 0
    size: int = 1

    def mean(self, *values: float) -> list[float]:
        """Average each value over the processes; waits for all of them."""
        if self.size == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(shared)
        return [float(v) for v in shared / self.size]


def leads() -> bool:
    """Tell whether this process is the one that writes."""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def team(device: str | None) -> Iterator[Team]:
    """Join the processes of this run, where there are several.

    Args:
        device: as torch names it; without it CUDA where there is one, else the processor.

    Raises:
        ConfigError: no such device.
    """
    size, rank, local = (int(os.environ.get(key, value)) for key, value in ALONE.items())
    place = _device(device, local if size > 1 else None)
    if size == 1:
        yield Team(place)
        return
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo", timeout=WAIT)
    try:
        yield Team(place, rank, size)
    finally:
        distributed.destroy_process_group()


def _device(name: str | None, local: int | None) -> torch.device:
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        if device.type == "cuda" and local is not None:
            device = torch.device("cuda", local)
            torch.cuda.set_device(device)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device {name!r}: {reason}: give cpu, cuda or cuda:NUMBER") from error
    return device
