"""Trace: what a program really asked of the disk, call by call, as strace saw it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CALLS = "openat,pwrite64,write,ftruncate,fallocate,fsync,fdatasync,rename,unlink,mkdir"
"""What changes a disk; SQLite's shared index is mapped, and worth nothing after a power cut."""

_LINE = re.compile(r"^\d+ +(?P<call>\w+)\((?P<rest>.*)\) = (?P<result>-?\d+)")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_PLACE = re.compile(r"^(?:-?\w+)<((?:\\x[0-9a-f]{2})*)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One successful system call."""

    name: str
    path: str
    data: bytes = b""
    offset: int | None = None  # None: where the file's cursor stands
    target: str = ""  # of a rename
    size: int = 0  # of a truncation
    flags: str = ""


def strace(code: str, *arguments: str, options: Sequence[str], log: Path) -> subprocess.CompletedProcess[str]:
    """Run a Python program under strace."""
    command = ["strace", "-f", "-qq", "--seccomp-bpf", *options, "-o", str(log), sys.executable, "-c", code, *arguments]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, env=env)
    except FileNotFoundError:
        pytest.fail("these tests need strace: apt install strace")


def record(code: str, folder: Path, *arguments: str) -> list[Call]:
    """Run a program on `folder`, its first argument, and give what it did to files in it, in order."""
    log = folder.with_name(f"{folder.name}.strace")
    options = ["-y", "-xx", "-s", "4000000", "-e", f"trace={CALLS}"]
    done = strace(code, str(folder), *arguments, options=options, log=log)
    assert done.returncode == 0, done.stderr
    return [call for call in _calls(log) if call.path == str(folder) or call.path.startswith(f"{folder}/")]


def _calls(log: Path) -> Iterator[Call]:
    with log.open(encoding="ascii") as lines:
        for line in lines:
            found = _LINE.match(line)
            if found is None or int(found["result"]) < 0:
                continue
            name, rest = found["call"], found["rest"]
            strings = [_plain(text) for text in _STRING.findall(rest)]
            place = _PLACE.match(rest)
            where = _plain(place[1]).decode() if place else ""
            tail = rest.rpartition('"')[2]
            match name:
                case "openat":
                    path = str(Path(where) / strings[0].decode())
                    yield Call(name="open", path=path, flags=tail)
                case "pwrite64":
                    data = strings[0][: int(found["result"])]
                    yield Call(name="write", path=where, data=data, offset=int(tail.split(",")[2]))
                case "write":
                    yield Call(name="write", path=where, data=strings[0][: int(found["result"])])
                case "ftruncate":
                    yield Call(name="truncate", path=where, size=int(rest.rpartition(",")[2]))
                case "fallocate":
                    yield Call(name="allocate", path=where)
                case "fsync" | "fdatasync":
                    yield Call(name="sync", path=where)
                case "rename":
                    yield Call(name="rename", path=strings[0].decode(), target=strings[1].decode())
                case "unlink":
                    yield Call(name="unlink", path=strings[0].decode())


def _plain(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
