"""A real RTSP server in a process of its own, to be killed, frozen and started again."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Self

import pytest

from tests.brokers import free_port

PYTHON = "/usr/bin/python3"
"""The system's, to which GStreamer's bindings belong."""


class RtspServer:
    """Serves h264, h265, mjpeg, odd (no codec that others know) and speech; asks for a login when a user is given."""

    def __init__(self, user: str = "", password: str = "") -> None:
        self.port = free_port()
        self._login = (user, password)
        self._process: subprocess.Popen[str] | None = None
        here = subprocess.run([PYTHON, "-c", "import gi; gi.require_version('GstRtspServer', '1.0')"], check=False)
        if here.returncode != 0:
            pytest.fail("these tests need GStreamer's RTSP server: run tests/install-system-parts")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def url(self, name: str) -> str:
        return f"rtsp://127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        program = Path(__file__).with_name("rtsp_server.py")
        command = [PYTHON, str(program), str(self.port), *self._login]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def freeze(self) -> None:
        """Stop it in the middle of whatever it does."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
