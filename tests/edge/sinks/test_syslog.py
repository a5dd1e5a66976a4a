from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Self

import pytest

from edge.sinks import syslog
from tests.brokers import free_port, until
from tests.sites import alerts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sites import Plant


class Rsyslog:
    """A real syslog server that writes what it took into a file, field by field."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("rsyslogd", path="/usr/sbin:/sbin:/usr/bin")
        if program is None:
            pytest.fail("these tests need rsyslog: apt install rsyslog")
        self.port, self.out, self._folder = free_port(), folder / "log", folder
        config = folder / "rsyslog.conf"
        config.write_text(
            f"""
            global(workDirectory="{folder}")
            module(load="imtcp") module(load="imudp")
            input(type="imtcp" port="{self.port}" address="127.0.0.1")
            input(type="imudp" port="{self.port}" address="127.0.0.1")
            template(name="t" type="string" string="%PRI% %app-name% %msgid% %structured-data% %msg%\\n")
            action(type="omfile" file="{self.out}" template="t")
            """,
            encoding="utf-8",
        )
        self._command = [program, "-n", "-f", str(config), "-i", str(folder / "pid")]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        until(self._listens, "for rsyslog")
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def lines(self) -> list[str]:
        return self.out.read_text(encoding="utf-8").splitlines() if self.out.exists() else []


@pytest.mark.parametrize("scheme", ["tcp", "udp"])
def test_a_real_syslog_server_understands_every_field(plant: Plant, tmp_path: Path, scheme: str) -> None:
    with (
        Rsyslog(tmp_path) as server,
        plant.sink({"kind": "syslog", "to": f"{scheme}://127.0.0.1:{server.port}"}) as sink,
    ):
        until(lambda: sink.status()["connected"])
        plant.commit(*alerts(1), {**alerts(1)[0], "type": "end", "camera": 'a"]\\b'})
        sink.wake()
        until(lambda: len(server.lines()) == 2)
        new, end = server.lines()
    assert new.startswith('132 edgeloupe new [edgeloupe@32473 device="line-3" camera="belt"')  # local0.warning
    assert 'seq="1"' in new
    assert "belt: NotOK (new) spot: 1 found, larger than 3 mm²" in new
    assert end.startswith("133 edgeloupe end")
    assert r'camera="a\"\]\\b"' in end


def test_what_is_committed_while_the_server_is_away_comes_later(plant: Plant, tmp_path: Path) -> None:
    server = Rsyslog(tmp_path)
    with plant.sink({"kind": "syslog", "to": f"tcp://127.0.0.1:{server.port}"}) as sink:
        until(lambda: "refused" in sink.status()["detail"])
        plant.commit(*alerts(3))
        with server:
            until(lambda: len(server.lines()) == 3)
        plant.commit(*alerts(1))  # and again after it went away
        sink.wake()
        until(lambda: not sink.status()["connected"])
        with server:
            until(lambda: len(server.lines()) == 4)
    assert [int(re.findall(r'seq="(\d+)"', line)[0]) for line in server.lines()] == [1, 2, 3, 4]


def test_the_journal_gets_its_own_fields(plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    monkeypatch.setattr(syslog, "JOURNAL", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        journal.settimeout(10)
        with plant.sink({"kind": "syslog"}) as sink:
            until(lambda: sink.status()["connected"])
            plant.commit({**alerts(1)[0], "reasons": ["two\nlines"]})
            sink.wake()
            entry = journal.recv(65536).decode()
    fields = dict(line.split("=", 1) for line in entry.splitlines())
    assert fields["PRIORITY"] == "4"
    assert fields["MESSAGE"] == "belt: NotOK (new) two lines"
    assert (fields["EDGELOUPE_SEQ"], fields["SYSLOG_IDENTIFIER"]) == ("1", "edgeloupe")
