from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest

from edge.outbox.follow import Follower, Places
from tests.brokers import until
from tests.sites import alerts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sites import Plant


def lines(folder: Path) -> list[str]:
    return [line for path in sorted(folder.glob("it-*")) for line in path.read_text(encoding="utf-8").splitlines()]


def run(plant: Plant, folder: Path, count: int, **more: Any) -> None:
    """Start, commit so many alerts, wait until they are taken, stop."""
    with plant.sink({"kind": "file", "folder": folder, **more}) as sink:
        last = plant.commit(*alerts(count))[-1]
        sink.wake()
        until(lambda: Places(plant.site.state_dir / "outbox.sqlite").hindmost(["it"]) == last)


def test_every_alert_is_a_line_of_json(plant: Plant, tmp_path: Path) -> None:
    run(plant, tmp_path / "out", 3)
    told = [json.loads(line) for line in lines(tmp_path / "out")]
    assert [alert["seq"] for alert in told] == [1, 2, 3]
    assert told[0]["reasons"] == ["spot: 1 found, larger than 3 mm²"]


def test_a_csv_has_a_head_and_a_row_per_alert_that_spreadsheets_read(plant: Plant, tmp_path: Path) -> None:
    with plant.sink({"kind": "file", "folder": tmp_path / "out", "format": "csv"}) as sink:
        plant.commit(*alerts(2), {**alerts(1)[0], "reasons": ['a "quoted", reason\nin two lines']})
        sink.wake()
        until(lambda: sink.status()["published"] == 3)
    rows = list(csv.DictReader(lines(tmp_path / "out")))
    assert [row["seq"] for row in rows] == ["1", "2", "3"]
    assert (rows[0]["camera"], rows[0]["labels"], rows[0]["area_px"]) == ("belt", "spot", "70")
    assert rows[2]["reasons"] == 'a "quoted", reason in two lines'


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_after_a_power_cut_no_line_is_torn_or_there_twice(plant: Plant, tmp_path: Path, form: str) -> None:
    folder = tmp_path / "out"
    run(plant, folder, 3, format=form)
    path = next(folder.glob("it-*"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])  # the last line did not reach the disk, nor did any acknowledgement
    with Follower(plant.site.state_dir / "outbox.sqlite", "it") as follower, follower._transaction as db:  # noqa: SLF001
        db.execute("UPDATE positions SET seq = 0")
    run(plant, folder, 1, format=form)
    assert path.read_bytes().startswith(whole)
    assert len(lines(folder)) == 4 + (form == "csv")


def test_old_days_are_forgotten_and_other_files_are_not(plant: Plant, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("it-2001-01-01.ndjson", "it-2001-01-01.csv", "other-2001-01-01.ndjson", "it-notes.ndjson"):
        (folder / name).touch()
    run(plant, folder, 1, keep_days=7)
    kept = {path.name for path in folder.iterdir()}
    assert "it-2001-01-01.ndjson" not in kept
    assert {"it-2001-01-01.csv", "other-2001-01-01.ndjson", "it-notes.ndjson"} < kept


def test_a_folder_that_can_not_be_written_is_told_and_nothing_is_lost(plant: Plant, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way", encoding="utf-8")
    with plant.sink({"kind": "file", "folder": tmp_path / "out"}) as sink:
        plant.commit(*alerts(2))
        until(lambda: "check the disk" in sink.status()["detail"])
        (tmp_path / "out").unlink()
        until(lambda: sink.status()["published"] == 2)
    assert len(lines(tmp_path / "out")) == 2


def test_a_full_disk_is_told_and_the_lines_come_whole_when_there_is_room(plant: Plant) -> None:
    pytest.importorskip("resource")
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    folder = plant.site.state_dir / "out"
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    plant.commit(*alerts(1))
    with plant.sink({"kind": "file", "folder": folder}) as sink:
        plant.commit(*alerts(1))
        sink.wake()
        until(lambda: sink.status()["published"] == 1)
        size = next(folder.glob("it-*")).stat().st_size
        big = {**alerts(1)[0], "reasons": ["x" * 200_000]}
        plant.commit(big)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, before[1]))
        try:
            sink.wake()
            until(lambda: "check the disk" in sink.status()["detail"])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        until(lambda: sink.status()["published"] == 2)
    assert [json.loads(line)["seq"] for line in lines(folder)] == [2, 3]
