from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest

from edge.sinks import syslog
from tests.brokers import until
from tests.peers import Rsyslog
from tests.sites import alerts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sites import Plant


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
