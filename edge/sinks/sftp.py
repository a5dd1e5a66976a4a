"""SFTP: each alert's files and the alert itself as files on a server; a broken upload goes on where it broke."""

from __future__ import annotations

import logging
import posixpath
from typing import TYPE_CHECKING, Any, Self

import paramiko

from edge.errors import ConfigError, SinkError

if TYPE_CHECKING:
    from pathlib import Path

    from edge.outputs.courier import Desk
    from edge.sink_config import SftpConfig
    from edge.sinks import Site

_TIMEOUT_S = 20.0
_BLOCK = 32 << 10
"""What one write of the protocol carries at most; the next goes out when the server has answered."""


def create(name: str, config: SftpConfig, site: Site) -> Sftp:
    """Make the SFTP sink `name`. Raises ConfigError."""
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # what fails is told in the sink's status
    return Sftp(name, config, config.secret(name), site)


class Sftp:
    """A folder on a server. Each file is written as `NAME.partial`, and renamed when it is whole."""

    def __init__(self, name: str, config: SftpConfig, secret: str | None, site: Site) -> None:
        self._name = name
        self._config = config
        self._secret = secret
        self._arrival = site.arrival(clips=config.clips)
        self._folders: set[str] = set()  # known to be there
        self._client: Any = None
        self._far: Any = None

    def __enter__(self) -> Self:
        config, login = self._config, self._login()
        self._client = paramiko.SSHClient()
        try:
            self._client.load_system_host_keys(str(config.known_hosts))
        except (OSError, paramiko.SSHException, ValueError) as error:
            raise self._wrong("known_hosts", config.known_hosts, error) from error
        try:
            self._client.connect(
                config.host,
                config.port,
                config.username,
                timeout=_TIMEOUT_S,
                banner_timeout=_TIMEOUT_S,
                auth_timeout=_TIMEOUT_S,
                channel_timeout=_TIMEOUT_S,
                allow_agent=False,
                look_for_keys=False,
                **login,
            )
            self._far = self._client.open_sftp()
            self._far.get_channel().settimeout(_TIMEOUT_S)
        except (OSError, EOFError, paramiko.SSHException) as error:
            self._client.close()
            raise SinkError(f"{self}: {_said(error)}: check host, port, known_hosts, username and keys") from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    def __str__(self) -> str:
        return f"{self._config.username}@{self._config.host}:{self._config.port}"

    def turn(self, desk: Desk) -> float:
        try:
            return self._arrival.bring(desk, self._put)
        except (OSError, EOFError, paramiko.SSHException) as error:
            folder = self._config.folder
            text = f"{self}: {folder}: {_said(error)}: check the network, and space and rights in the folder"
            raise SinkError(text) from error

    def _put(self, path: str, data: bytes) -> None:
        """Write one file, whose content never changes, where it is not there yet."""
        whole = posixpath.join(self._config.folder, path)
        partial = f"{whole}.partial"
        if self._size(whole) == len(data):
            return
        self._make(posixpath.dirname(whole))
        there = self._size(partial)
        begin = there - _BLOCK if _BLOCK < there <= len(data) else 0  # the last block may not be whole
        with self._far.open(partial, "r+" if begin else "w") as far:
            far.seek(begin)
            far.write(memoryview(data)[begin:])
        if self._size(partial) != len(data):  # what goes wrong in closing is not told
            raise OSError("the file came out too short")
        self._far.posix_rename(partial, whole)

    def _size(self, path: str) -> int:
        """Give a file's size; -1 where there is none."""
        try:
            return int(self._far.stat(path).st_size or 0)
        except FileNotFoundError:
            return -1

    def _make(self, folder: str) -> None:
        """Make a folder and those above it where they are missing."""
        if folder in self._folders or folder in ("", "/"):
            return
        if self._size(folder) < 0:
            self._make(posixpath.dirname(folder))
            self._far.mkdir(folder)
        self._folders.add(folder)

    def _login(self) -> dict[str, Any]:
        """Read the key, whose passphrase is the secret; without one, the secret is the password."""
        path = self._config.key_file
        if path is None:
            return {"password": self._secret or ""}
        try:
            passphrase = self._secret.encode() if self._secret else None
            return {"pkey": paramiko.PKey.from_path(path, passphrase)}
        except (OSError, ValueError, TypeError, paramiko.SSHException, paramiko.UnknownKeyType) as error:
            raise self._wrong("key_file", path, error) from error

    def _wrong(self, setting: str, path: Path, error: Exception) -> ConfigError:
        return ConfigError(f"sinks.{self._name}.{setting} = {path}: {_said(error)}: give a file that can be read")


def _said(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return next((line.strip(" :") for line in text.splitlines() if line.strip()), type(error).__name__)
