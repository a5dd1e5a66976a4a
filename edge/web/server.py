"""Server: the web process. Loopback only; what it needs beyond the standard library is loaded when it starts."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
import os
import socket
from typing import TYPE_CHECKING

from edge.child import become_child
from edge.clock import SystemClock
from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI
    from uvicorn import Server

    from edge.config import Config

log = logging.getLogger(__name__)

ADDRESS_FILE = "web.json"
_TCP_NOTSENT_LOWAT = 25  # linux/tcp.h; a name in `socket` from Python 3.12 on
_UNSENT_BYTES = 64 << 10
"""So much waits in the system for a slow line: what waits here can still be replaced by what is newer."""
_NICER = 5
"""The web process gives way to the inspection."""


def run_web(config: Config) -> None:
    """Be the web process of a daemon until it ends us."""
    become_child("edgeloupe web")
    with contextlib.suppress(OSError):
        os.nice(_NICER)
    storage = config.storage
    try:
        web = config.web
        serve(web.host, web.port, storage.runtime_dir, storage.state_dir, config.device, key=web.key)
    except ConfigError as error:
        log.error("%s", error)  # noqa: TRY400 - one line for the user, no traceback
        raise SystemExit(2) from None


def _no_key() -> str | None:
    return None


def serve(
    host: str, port: int, runtime_dir: Path, state_dir: Path, device: str, *, key: Callable[[], str | None] = _no_key
) -> None:
    """Serve until SIGTERM or Ctrl-C. Port 0 takes a free one; the address lies in `RUNTIME_DIR/web.json`.

    `key` reads the secret of who may change something, at each request, so that it can be replaced; None: nobody.

    Raises:
        ConfigError: the host is not a loopback address, or the port is taken.
    """
    with listen(host, port) as listener:
        app = open_app(runtime_dir, state_dir, device, key)
        _tell_address(runtime_dir / ADDRESS_FILE, host, listener.getsockname()[1])
        make_server(app).run(sockets=[listener])


def make_server(app: FastAPI) -> Server:
    """Make the server of an application; open streams don't keep it from stopping."""
    import uvicorn  # noqa: PLC0415 - the core names this module without becoming a web server

    class EndsStreams(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.state.live.close()
            app.state.web.calibrator.stop()
            await super().shutdown(sockets)

    return EndsStreams(
        uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=2,
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """Take the address before anything else is loaded. Raises ConfigError."""
    if not is_loopback(host):
        raise ConfigError(f"web.host = {host}: must be a loopback address such as 127.0.0.1: there is no login yet")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise ConfigError(f"web.port = {port}: {error.strerror}: choose another, or 0 for any that is free") from error
    return listener


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def open_app(runtime_dir: Path, state_dir: Path, device: str, key: Callable[[], str | None] = _no_key) -> FastAPI:
    """Make the application over what the other processes leave in these folders."""
    from edge.outbox.outbox import OutboxReader  # noqa: PLC0415 - as above
    from edge.web.app import create_app  # noqa: PLC0415
    from edge.web.calibrator import Calibrator  # noqa: PLC0415
    from edge.web.core_health import CoreHealth  # noqa: PLC0415
    from edge.web.state import WebState  # noqa: PLC0415
    from edge.web.view import Views  # noqa: PLC0415

    clock = SystemClock()
    return create_app(
        WebState(
            device=device,
            views=Views(runtime_dir, clock),
            health=CoreHealth(runtime_dir, clock),
            alerts=OutboxReader(state_dir / "outbox.sqlite"),
            evidence_dir=state_dir / "evidence",
            clock=clock,
            calibrator=Calibrator(runtime_dir, state_dir),
            key=key,
        )
    )


def _tell_address(path: Path, host: str, port: int) -> None:
    url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"url": url}), encoding="utf-8")
    partial.replace(path)
    log.info("dashboard at %s", url)
