from __future__ import annotations

import random
import resource
import shutil
import sqlite3
import tempfile
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.clock import FakeClock, SystemClock
from edge.errors import OutboxError
from edge.outbox.file import LOG_BYTES
from edge.outbox.fold import fold
from edge.outbox.outbox import Outbox, OutboxDrain, OutboxReader

if TYPE_CHECKING:
    from collections.abc import Iterator


def payload(alert_id: str = "a", kind: str = "update", camera: str = "belt", **more: Any) -> dict[str, Any]:
    return {"epoch": None, "seq": None, "camera": camera, "alert_id": alert_id, "type": kind, **more}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.sqlite"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    with Outbox(path, FakeClock()) as outbox:
        yield outbox


def test_alerts_are_numbered_from_one_in_the_order_of_commits(outbox: Outbox) -> None:
    assert outbox.commit([payload(), payload()]) == [1, 2]
    assert outbox.commit([payload()]) == [3]
    assert [row.seq for row in outbox.pending(10)] == [1, 2, 3]
    assert (outbox.first_seq, outbox.last_seq, outbox.pending_count) == (1, 3, 3)


def test_a_message_carries_epoch_and_seq_and_nothing_is_lost(outbox: Outbox) -> None:
    outbox.commit([payload(reasons=["Fleck größer als 3 mm², \ud83d"], regions=[{"score": 0.5}])])
    fields = outbox.pending(1)[0].fields()
    assert fields["epoch"] == outbox.epoch
    assert fields["seq"] == 1
    assert fields["reasons"] == ["Fleck größer als 3 mm², \ud83d"]
    assert fields["regions"] == [{"score": 0.5}]


def test_the_log_is_laid_in_full_length_and_gives_after_a_cut_what_was_committed(path: Path, tmp_path: Path) -> None:
    log = path.with_name("outbox.sqlite-wal")
    with Outbox(path, FakeClock()) as outbox:
        assert (log.stat().st_size, log.stat().st_mode) == (LOG_BYTES, path.stat().st_mode)
        numbers = [outbox.commit([payload(str(n), "end", blob="x" * 600)])[0] for n in range(100)]
        assert log.stat().st_size == LOG_BYTES
        shutil.copytree(path.parent, tmp_path / "cut", ignore=shutil.ignore_patterns("*-shm"))
    with Outbox(tmp_path / "cut" / path.name, FakeClock()) as outbox:
        assert (outbox.recovered, [row.seq for row in outbox.pending(1000)]) == (None, numbers)


def test_without_room_for_the_log_it_begins_empty(path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LOG_BYTES // 2, before[1]))
        with Outbox(path, FakeClock()) as outbox:
            assert outbox.commit([payload()]) == [1]
            assert {each.name for each in path.parent.iterdir() if each.stat().st_size >= LOG_BYTES // 2} == set()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_commit_with_one_bad_payload_stores_none(outbox: Outbox) -> None:
    with pytest.raises(ValueError, match="JSON"):
        outbox.commit([payload(), payload(share=float("nan"))])
    assert outbox.pending(10) == []
    assert outbox.commit([payload()]) == [1]


def test_commits_are_synced_and_acknowledgements_are_not(outbox: Outbox, path: Path) -> None:
    def synchronous(side: OutboxDrain) -> int:
        return int(side._db.execute("PRAGMA synchronous").fetchone()[0])  # noqa: SLF001

    with OutboxDrain(path) as drain:
        assert (synchronous(outbox), synchronous(drain)) == (2, 1)  # FULL, NORMAL
    pages = outbox._db.execute("PRAGMA page_size").fetchone()[0]  # noqa: SLF001
    assert pages == 1024


def test_finding_what_is_pending_does_not_search_what_is_delivered(outbox: Outbox) -> None:
    plan = outbox._db.execute(  # noqa: SLF001
        "EXPLAIN QUERY PLAN SELECT * FROM alerts WHERE acked = 0 AND seq > 5 ORDER BY seq LIMIT 4"
    ).fetchall()
    assert "alerts_pending" in plan[0][3]


def test_delivered_alerts_stay_and_can_be_replayed(outbox: Outbox) -> None:
    outbox.commit([payload()] * 5)
    outbox.acknowledge([1, 2, 3, 4])
    assert [row.seq for row in outbox.pending(9)] == [5]
    assert outbox.replay(2, 3) == 2
    assert outbox.replay(2, 3) == 0
    assert [row.seq for row in outbox.pending(9)] == [2, 3, 5]
    assert [row.seq for row in outbox.pending(9, above=2)] == [3, 5]
    newest = outbox.newest_pending
    assert newest is not None
    assert newest.seq == 5


def test_only_old_delivered_alerts_are_pruned_and_their_numbers_never_return(path: Path) -> None:
    clock = FakeClock()
    with Outbox(path, clock) as outbox:
        outbox.commit([payload(str(n), "end") for n in range(10)])
        outbox.acknowledge([1, 2, 3, 5])
        clock.advance(100)
        outbox.commit([payload("late", "end")])
        outbox.acknowledge([11])
        assert outbox.prune(50, keep_rows=0) == 4
        assert outbox.missing(1, 12) == [(1, 3), (5, 5), (12, 12)]
        outbox.acknowledge(range(12))
        clock.advance(100)
        assert outbox.prune(50, keep_rows=0) == 7
        assert (outbox.first_seq, outbox.last_seq) == (12, 11)
        assert outbox.commit([payload()]) == [12]


def test_a_clock_that_jumps_from_1970_does_not_empty_the_replay_log(path: Path) -> None:
    clock = FakeClock(wall_s=0)
    with Outbox(path, clock) as outbox:
        outbox.commit([payload(str(n), "end") for n in range(10)])
        outbox.acknowledge(range(1, 11))
        clock.set_wall(1_800_000_000)
        assert outbox.prune(30 * 86_400) == 0


def test_alerts_without_an_end_are_known_after_a_crash(path: Path) -> None:
    clock = FakeClock()
    with Outbox(path, clock) as outbox:
        outbox.commit([payload("a", "new"), payload("b", "new"), payload("c", "new", camera="press")])
        outbox.commit([payload("a", "update", n=1), payload("b", "end")])
        outbox.acknowledge(range(1, 6))
    clock.advance(1000)
    with Outbox(path, clock) as outbox:
        outbox.prune(1, keep_rows=0)
        (left,) = outbox.open_alerts("belt")
        assert (left["alert_id"], left["n"], left["seq"]) == ("a", 1, 4)
        outbox.commit([{**left, "type": "end"}])
        assert outbox.open_alerts("belt") == []
        assert [row["alert_id"] for row in outbox.open_alerts("press")] == ["c"]
        assert outbox.recent(1)[0]["seq"] == 6


def test_a_reader_answers_before_there_is_an_outbox(path: Path) -> None:
    reader = OutboxReader(path)
    assert (reader.epoch, reader.first_seq, reader.last_seq, reader.pending_count) == (None, 1, 0, 0)
    assert reader.recent(10) == []
    assert reader.pending(10) == []
    with pytest.raises(OutboxError, match="does not exist: the daemon creates it"):
        OutboxDrain(path)


def test_a_reader_reads_from_any_thread_while_the_core_commits(path: Path) -> None:
    reader = OutboxReader(path)
    faults: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        before = 0
        while not done.is_set():
            try:
                newest = [alert["seq"] for alert in reader.recent(3)]
                assert newest == sorted(newest, reverse=True)
                assert before <= max(newest, default=0)
                before = max(newest, default=0)
            except Exception as error:  # noqa: BLE001 - any of them fails the test
                faults.append(error)

    threads = [threading.Thread(target=read, name=f"reader {n}") for n in range(2)]
    for thread in threads:
        thread.start()
    with Outbox(path, SystemClock()) as outbox:
        for _ in range(100):
            outbox.commit([payload()])
        assert reader.recent(1)[0]["seq"] == 100
        assert [alert["seq"] for alert in reader.recent(2, before_seq=50)] == [49, 48]
    done.set()
    for thread in threads:
        thread.join()
    assert faults == []


def test_two_sides_write_at_the_same_time(path: Path) -> None:
    with Outbox(path, SystemClock()) as outbox:
        done = threading.Event()

        def drain() -> None:
            with OutboxDrain(path) as side:
                while not done.is_set() or side.pending_count:
                    side.acknowledge([row.seq for row in side.pending(20)])

        thread = threading.Thread(target=drain, name="drain")
        thread.start()
        for _ in range(100):
            outbox.commit([payload()] * 3)
        done.set()
        thread.join()
        assert (outbox.pending_count, outbox.last_seq) == (0, 300)


@pytest.mark.parametrize("damage", ["garbage", "header", "truncated", "page", "foreign", "log", "older", "gone"])
def test_a_damaged_database_is_salvaged_row_by_row_and_the_rest_is_a_gap(path: Path, damage: str) -> None:
    older = path.with_name("older")
    with Outbox(path, FakeClock()) as outbox:
        outbox.commit([payload(str(n), "end", blob="x" * 600) for n in range(200)])
        outbox._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # noqa: SLF001
        shutil.copy(path, older)
        outbox.commit([payload("late", "new", blob="x" * 600)])
        outbox.commit([payload("later", "new", blob="x" * 600)])
        log = path.with_name("outbox.sqlite-wal").read_bytes()
        epoch = outbox.epoch
    data = bytearray(path.read_bytes())
    match damage:
        case "garbage":
            data = bytearray(random.Random(1).randbytes(len(data)))
        case "header":
            data[:1024] = bytes(1024)
        case "truncated":
            data = data[: len(data) // 2]
        case "page":
            data[20 * 1024 : 60 * 1024] = random.Random(1).randbytes(40 * 1024)
        case "foreign":
            with sqlite3.connect(path) as db:
                db.execute("DROP TABLE meta")
            db.close()
            data = bytearray(path.read_bytes())
        case "log":
            data = bytearray(older.read_bytes())
            path.with_name("outbox.sqlite-wal").write_bytes(log[:60] + b"?" + log[61:])
        case "older":
            data = bytearray(older.read_bytes())
    path.write_bytes(data)
    if damage == "gone":
        path.unlink()
    kept = {"garbage": 0, "header": 202, "foreign": 202, "log": 202, "older": 200, "gone": 0}.get(damage)
    with Outbox(path, FakeClock()) as outbox:
        assert outbox.recovered is not None
        rows = outbox.pending(1000)
        assert (outbox.epoch == epoch) == (damage != "gone")
        assert len(rows) == kept if kept is not None else 50 < len(rows) < 202
        assert {row.seq for row in rows} <= set(range(1, 203))
        assert all(row.fields()["blob"] == "x" * 600 for row in rows)
        assert [alert["alert_id"] for alert in outbox.open_alerts("belt")] == [
            row.alert_id for row in rows if row.alert_id in ("late", "later")
        ]
        assert outbox.commit([payload()]) > [202]
        if damage != "gone":
            missing = {n for gap in outbox.gaps() for n in range(gap["first_seq"], gap["last_seq"] + 1)}
            assert missing == set(range(min(row.seq for row in rows) if rows else 1, outbox.last_seq)) - {
                row.seq for row in rows
            }
    if damage != "gone":
        assert (path.parent / "outbox.sqlite.corrupt-20270115T080000Z").read_bytes() == data
    with Outbox(path, FakeClock()) as outbox:
        assert outbox.recovered is None


def test_two_damages_in_one_second_are_both_kept(path: Path) -> None:
    path.parent.mkdir()
    for _ in range(2):
        path.write_bytes(b"no database" * 1000)
        Outbox(path, FakeClock()).close()
    assert len([name for name in path.parent.iterdir() if "corrupt" in name.name]) == 2


def test_a_database_of_a_newer_edgeloupe_is_left_alone(path: Path) -> None:
    Outbox(path, FakeClock()).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(OutboxError, match="newer edgeloupe"):
        Outbox(path, FakeClock())
    assert [name.name for name in path.parent.iterdir() if "corrupt" in name.name] == []


def test_a_place_that_cannot_hold_it_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutboxError, match="check the disk and the rights"):
        Outbox(tmp_path / "file" / "outbox.sqlite", FakeClock())


def test_a_database_of_the_first_version_is_brought_up_to_date(path: Path) -> None:
    with Outbox(path, FakeClock()) as outbox:
        outbox.commit([payload(str(n)) for n in range(3)])
        epoch = outbox.epoch
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "DROP TABLE positions; DROP TABLE gaps; ALTER TABLE alerts DROP COLUMN crc; PRAGMA user_version = 1"
        )
    path.with_name("outbox.sqlite-high-water").unlink()
    with Outbox(path, FakeClock()) as outbox:
        assert (outbox.recovered, outbox.epoch, outbox.gaps()) == (None, epoch, [])
        assert outbox.commit([payload()]) == [4]
        assert [row.seq for row in outbox.pending(9)] == [1, 2, 3, 4]


def test_a_flipped_bit_in_a_row_makes_a_gap_and_no_wrong_alert(outbox: Outbox, path: Path) -> None:
    outbox.commit([payload(str(n), area=1234) for n in range(3)])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE alerts SET payload = replace(payload, '1234', '1235') WHERE seq = 2")
    with OutboxDrain(path) as drain:
        assert [row.seq for row in drain.pending(9)] == [1, 3]
        assert drain.pending_count == 2
    (gap,) = outbox.gaps()
    assert (gap["first_seq"], gap["last_seq"], gap["reason"]) == (2, 2, "damaged")


def test_delivered_alerts_beyond_the_limit_of_bytes_go_oldest_first(outbox: Outbox) -> None:
    outbox.commit([payload(str(n), "end", blob="x" * 900) for n in range(200)])
    outbox.acknowledge(range(1, 151))
    assert outbox.prune(1e9, keep_rows=100, keep_bytes=1 << 30) == 0
    assert outbox.prune(1e9, keep_rows=100, keep_bytes=100_000) == 100
    assert (outbox.first_seq, outbox.pending_count) == (101, 50)
    assert outbox.size_bytes < 200_000


def test_folding_replaces_the_oldest_by_summaries_and_declares_their_numbers(outbox: Outbox) -> None:
    outbox.commit([payload("open", "new"), *(payload(str(n), "end") for n in range(50))])
    assert outbox.fold(20, lambda rows: fold(row.fields() for row in rows)) == 20
    (gap,) = outbox.gaps()
    assert (gap["first_seq"], gap["last_seq"], gap["reason"]) == (2, 21, "folded")
    *rest, summary = outbox.pending(100)
    assert [row.seq for row in rest] == [1, *range(22, 52)]
    assert (summary.seq, summary.type, summary.fields()["folded"]["spans"]) == (52, "summary", [[2, 21]])
    assert [alert["alert_id"] for alert in outbox.open_alerts("belt")] == ["open"]


class OutboxLaws(RuleBasedStateMachine):
    """Whatever happens in whatever order: numbers have no holes, order holds, nothing pending vanishes."""

    @initialize()
    def begin(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name) / "outbox.sqlite"
        self._clock = FakeClock()
        self._outbox = Outbox(self._path, self._clock)
        self._epoch = self._outbox.epoch
        self._pending: set[int] = set()
        self._delivered: dict[int, float] = {}
        self._born: dict[int, float] = {}
        self._last = 0

    @rule(count=st.integers(0, 4))
    def commit(self, count: int) -> None:
        seqs = self._outbox.commit([payload(str(self._last + n), "end") for n in range(count)])
        assert seqs == list(range(self._last + 1, self._last + 1 + count))
        self._last += count
        self._pending |= set(seqs)
        self._born |= dict.fromkeys(seqs, self._clock.wall_s())

    @rule(seqs=st.sets(st.integers(1, 20)))
    def acknowledge(self, seqs: set[int]) -> None:
        self._outbox.acknowledge(seqs)
        for seq in seqs & self._pending:
            self._delivered[seq] = self._born[seq]
        self._pending -= seqs

    @rule(first=st.integers(1, 20), length=st.integers(0, 9))
    def replay(self, first: int, length: int) -> None:
        again = {seq for seq in self._delivered if first <= seq <= first + length}
        assert self._outbox.replay(first, first + length) == len(again)
        self._pending |= again
        self._delivered = {seq: at for seq, at in self._delivered.items() if seq not in again}

    @rule(seconds=st.integers(0, 50), keep_s=st.integers(1, 60))
    def prune(self, seconds: int, keep_s: int) -> None:
        self._clock.advance(seconds)
        self._outbox.prune(keep_s, keep_rows=0)
        oldest = self._clock.wall_s() - keep_s
        self._delivered = {seq: at for seq, at in self._delivered.items() if at >= oldest}

    @rule()
    def reopen(self) -> None:
        self._outbox.close()
        self._outbox = Outbox(self._path, self._clock)

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "_outbox"):
            return
        kept = sorted(self._pending | set(self._delivered))
        assert [row.seq for row in self._outbox.pending(1000)] == sorted(self._pending)
        assert [alert["seq"] for alert in self._outbox.recent(1000)] == kept[::-1]
        assert self._outbox.last_seq == self._last
        assert self._outbox.first_seq == (kept[0] if kept else self._last + 1)
        assert self._outbox.epoch == self._epoch

    def teardown(self) -> None:
        if hasattr(self, "_outbox"):
            self._outbox.close()
            self._folder.cleanup()


OutboxLaws.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
TestOutboxLaws = OutboxLaws.TestCase
