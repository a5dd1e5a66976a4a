"""A worker that has much to say when asked to end: `python -m tests.last_words run -c CONFIG` runs a daemon with it."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

import edge.daemon
from edge.cli import main

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

COUNT = 30
"""So many alerts, which together a pipe does not hold."""


def worker(config: object, core: Connection) -> None:
    """Begin an alert, and update it again and again once told to stop."""
    del config
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    told: dict[str, Any] = {"camera": "c", "alert_id": "a", "type": "new", "blob": "x" * 10_000}
    core.send({"kind": "beat", "evidence_lost": 0, "alerts": [told]})
    signal.sigwait([signal.SIGTERM])
    for _ in range(COUNT):
        core.send({"kind": "beat", "evidence_lost": 0, "alerts": [{**told, "type": "update"}]})


if __name__ == "__main__":
    from tests import last_words  # by its name, so that another process finds it

    edge.daemon.run_worker = last_words.worker  # type: ignore[attr-defined]
    sys.exit(main(sys.argv[1:]))
