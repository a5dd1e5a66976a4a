from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from edge.archive import archive
from edge.consume import Alert
from edge.errors import ConfigError, OutboxError

if TYPE_CHECKING:
    from pathlib import Path


def alert(seq: int) -> Alert:
    payload = {"epoch": "e", "seq": seq, "type": "new", "alert_id": f"a{seq}", "reasons": ["größer"]}
    return Alert(device="line3", camera="belt", epoch="e", seq=seq, payload=payload)


def test_lines_hold_each_alert_once_and_go_on_after_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "alerts.ndjson"
    with archive(path) as book:
        book.add(alert(1))
        book.add(alert(2))
    path.write_bytes(path.read_bytes() + b'{"device":"line3","epo')  # the power went
    with archive(path) as book:
        book.add(alert(2))  # came again, because nobody could note it as dealt with
        book.add(alert(3))
    told = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["seq"] for line in told] == [1, 2, 3]
    assert told[0]["device"] == "line3"


def test_a_table_holds_each_alert_once(tmp_path: Path) -> None:
    path = tmp_path / "alerts.sqlite"
    for _ in range(2):
        with archive(path) as book:
            book.add(alert(1))
            book.add(alert(2))
    db = sqlite3.connect(path)
    assert db.execute("SELECT seq, type, alert_id FROM alerts").fetchall() == [(1, "new", "a1"), (2, "new", "a2")]
    db.close()


def test_other_names_and_places_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.ndjson or \.sqlite"):
        archive(tmp_path / "alerts.txt")
    for name in ("no/where.ndjson", "no/where.sqlite"):
        with pytest.raises(OutboxError, match="give a file that can be written"), archive(tmp_path / name):
            pass
