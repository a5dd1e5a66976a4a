"""The web process as a whole: where it binds, how it tells its address, how it stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from edge.errors import ConfigError
from edge.web.server import listen

if TYPE_CHECKING:
    from pathlib import Path

SERVE = "import sys; from pathlib import Path; from edge.web.server import serve; "
SERVE += "serve('127.0.0.1', 0, Path(sys.argv[1]), Path(sys.argv[2]), 'bench')"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.com", ""])
def test_an_address_that_others_reach_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="must be a loopback address"):
        listen(host, 0)


def test_a_taken_port_is_said_in_one_line() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match=f"web.port = {port}: Address already in use"):
            listen("127.0.0.1", port)


def test_ipv6_loopback_is_fine() -> None:
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):  # noqa: PTH110 - a kernel's file
        pytest.skip("this machine has no IPv6")
    with listen("::1", 0) as listener:
        assert listener.getsockname()[1] > 0


def test_the_process_tells_its_address_and_stops_on_sigterm(folders: Any) -> None:
    folders.runtime.mkdir()
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(folders.runtime), str(folders.state)])
    try:
        url = _address(folders.runtime / "web.json")
        assert url.startswith("http://127.0.0.1:")
        answer = httpx.get(url)
        assert "edgeloupe" in answer.text
        assert "server" not in answer.headers
        with httpx.stream("GET", f"{url}api/v1/stream") as stream:
            next(stream.iter_lines())
            process.send_signal(signal.SIGTERM)
            process.wait(10)
    finally:
        process.kill()
        process.wait()
    assert process.returncode in (0, -signal.SIGTERM)


def test_naming_the_server_loads_no_web_framework() -> None:
    code = "import sys, edge.web.server; print([m for m in ('fastapi', 'uvicorn', 'starlette') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def _address(path: Path) -> str:
    until = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < until, f"{path} was not written"
        time.sleep(0.05)
    url: str = json.loads(path.read_text(encoding="utf-8"))["url"]
    return url
