"""Processes: several learn as one, and one writes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import torch

from edge.errors import ConfigError
from models.processes import team
from quantize.toy import write_toy_pictures
from tests.models.toy import TOY_FILE

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import sys
from pathlib import Path
import torch
from models.learner import Learner
from models.processes import team
from models.recipe import load_recipe
from models.training_set import Tensors

folder = Path(sys.argv[1])
with team("cpu") as here:
    learner = Learner(load_recipe(folder / "toy.yaml"), 3, here)
    chance = torch.Generator().manual_seed(here.rank)
    for step in range(3):
        pictures = torch.randint(0, 256, (2, 32, 64, 3), generator=chance, dtype=torch.uint8)
        classes = torch.randint(0, 2, (2, 32, 64), generator=chance, dtype=torch.uint8)
        learner.learn(Tensors(pictures, classes, classes.int()), step)
    torch.save(dict(learner.net.named_parameters()), folder / f"{here.rank}.pt")
    assert here.mean(float(here.rank)) == [0.5]
"""


def in_two(*command: str) -> subprocess.CompletedProcess[str]:
    """Run in two processes, as people do."""
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*launcher, *command], capture_output=True, text=True, check=False, env=environment, timeout=240
    )


def test_processes_end_with_the_same_weights(tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(TOY_FILE, encoding="utf-8")
    (tmp_path / "learn.py").write_text(SCRIPT, encoding="utf-8")
    done = in_two(str(tmp_path / "learn.py"), str(tmp_path))
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_only_the_first_process_writes(tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(TOY_FILE, encoding="utf-8")
    toys = write_toy_pictures(tmp_path / "toys", train=8, val=2, test=1)
    command = ("train", str(tmp_path / "toy.yaml"), "--data", str(toys), "-o", str(tmp_path / "out"))
    done = in_two("-m", "edge.cli", *command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("IoU on val") == 1
    assert done.stdout.count("epoch    1  loss") == 1
    assert (tmp_path / "out" / "best.onnx").is_file()
    assert not (tmp_path / "out" / "state.pt").exists()


def test_one_process_is_a_team_of_its_own() -> None:
    with team("cpu") as here:
        assert (here.rank, here.size, here.device.type) == (0, 1, "cpu")
        assert here.mean(1.5, 2.0) == [1.5, 2.0]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_is_refused_where_there_is_none() -> None:
    with pytest.raises(ConfigError, match="device 'cuda'"), team("cuda"):
        pass
