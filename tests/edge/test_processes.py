"""What other processes cost, as the kernel counts it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from edge.processes import cpu_s, descendants, pss_bytes
from tests.brokers import until

SPIN = "sum(range(20_000_000)); print('done', flush=True); input()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SPIN!r}])"


def test_the_work_of_another_process_and_of_its_children_is_seen() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        (child,) = descendants(process.pid)
        assert child in descendants(os.getpid())
        spent, memory = cpu_s(child), pss_bytes(child)
        assert spent > cpu_s(process.pid) > 0
        assert 1_000_000 < memory < 100_000_000
        process.communicate(b"\n")
    until(lambda: cpu_s(child) == 0.0)
    assert (pss_bytes(child), descendants(child)) == (0, [])


def test_ones_own_time_is_that_which_python_tells() -> None:
    before = time.process_time()
    measured = cpu_s(os.getpid())
    assert before <= measured <= time.process_time()
