from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.clock import FakeClock
from edge.errors import OutboxError
from edge.outbox.follow import Follower, Places
from edge.outbox.outbox import Outbox
from tests.sites import alerts

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_sink_begins_behind_the_newest_alert_and_an_old_one_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with Outbox(path, FakeClock()) as outbox:
        outbox.commit(alerts(3))
        with Follower(path, "erp") as erp:
            assert erp.ahead(9) == []
            outbox.commit(alerts(3))
            assert [row.seq for row in erp.ahead(2)] == [4, 5]
            erp.take(5)
        with Follower(path, "erp") as erp:
            assert [row.seq for row in erp.ahead(9)] == [6]
            erp.take(2)
            assert erp.position == 5  # a place never moves back


def test_sinks_do_not_share_places_nor_the_brokers_acknowledgements(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with Outbox(path, FakeClock()) as outbox, Follower(path, "a") as one, Follower(path, "b") as other:
        outbox.commit(alerts(3))
        one.take(3)
        assert [row.seq for row in other.ahead(9)] == [1, 2, 3]
        assert outbox.pending_count == 3
        outbox.acknowledge([1, 2, 3])
        assert len(other.ahead(9)) == 3
        assert Places(path).hindmost(["a", "b"]) == 0
        assert Places(path).hindmost(["a"]) == 3
        assert Places(path).hindmost([]) is None


def test_what_a_sink_has_not_taken_is_not_pruned(tmp_path: Path) -> None:
    path, clock = tmp_path / "outbox.sqlite", FakeClock()
    with Outbox(path, clock) as outbox, Follower(path, "erp") as erp:
        outbox.commit(alerts(4, kind="end"))
        outbox.acknowledge(range(1, 5))
        clock.advance(1000)
        erp.take(2)
        assert outbox.prune(10, keep_rows=0, taken=Places(path).hindmost(["erp"])) == 2
        assert [row.seq for row in erp.ahead(9)] == [3, 4]


def test_places_are_read_before_any_sink_made_one(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.sqlite", FakeClock()) as outbox:
        outbox.commit(alerts(2))
        assert Places(tmp_path / "outbox.sqlite").hindmost(["erp"]) == 2


def test_an_outbox_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="does not exist"):
        Follower(tmp_path / "none.sqlite", "erp")


@pytest.mark.parametrize(("spoilt", "place"), [(0, 0), (-20, 2)])  # the header, or a row in the last page
def test_no_sink_misses_an_alert_because_the_store_was_damaged(spoilt: int, place: int, tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with Outbox(path, FakeClock()) as outbox, Follower(path, "erp") as erp:
        outbox.commit(alerts(200))
        erp.take(2)
    content = bytearray(path.read_bytes())
    content[spoilt : spoilt + 16 or None] = b"x" * 16
    path.write_bytes(content)
    with Outbox(path, FakeClock()) as outbox, Follower(path, "erp") as erp:
        assert bool(outbox.recovered) == (spoilt == 0)
        assert erp.position == place
        assert len(erp.ahead(300)) >= 190
