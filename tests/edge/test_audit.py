from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.audit import KEPT, Audit
from edge.clock import FakeClock
from edge.errors import OutboxError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_command_and_its_outcome_are_one_row(tmp_path: Path) -> None:
    with Audit(tmp_path / "audit.sqlite", FakeClock()) as audit:
        number = audit.note(verb="stop", who="anna", correlation="c1", outcome="accepted")
        assert audit.knows("anna", "c1")
        assert not audit.knows("anna", "c2")
        audit.settle(number, "done", "")
        (row,) = audit.rows()
        assert (row["verb"], row["who"], row["outcome"], row["count"]) == ("stop", "anna", "done", 1)


def test_a_flood_of_refusals_is_counted_in_few_rows(tmp_path: Path) -> None:
    clock = FakeClock()
    with Audit(tmp_path / "audit.sqlite", clock) as audit:
        for _ in range(500):
            audit.refuse(verb="stop", who="", detail="wrong signature")
            audit.refuse(verb="start", who="", detail="wrong signature")
        assert [(row["verb"], row["count"]) for row in audit.rows()] == [("start", 500), ("stop", 500)]
        clock.advance(61)
        audit.refuse(verb="stop", who="", detail="wrong signature")
        assert len(audit.rows()) == 3


def test_only_the_newest_rows_are_kept(tmp_path: Path) -> None:
    with Audit(tmp_path / "audit.sqlite", FakeClock()) as audit:
        audit._db.execute("BEGIN")  # noqa: SLF001 - one transaction, so that it is quick
        for n in range(KEPT + 250):
            audit.note(verb="stop", who="anna", correlation=f"c{n}", outcome="accepted")
        audit._db.execute("COMMIT")  # noqa: SLF001
        assert KEPT <= len(audit.rows(KEPT * 2)) < KEPT + 100


def test_a_book_that_can_not_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "audit.sqlite").mkdir()
    with pytest.raises(OutboxError, match="check the disk and the rights"):
        Audit(tmp_path / "audit.sqlite", FakeClock())


def test_a_damaged_book_is_set_aside_and_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "audit.sqlite").write_bytes(b"damage" * 1000)
    with Audit(tmp_path / "audit.sqlite", FakeClock()) as audit:
        assert audit.note(verb="stop", who="anna", correlation="c1", outcome="accepted") == 1
    assert (tmp_path / "audit.sqlite.corrupt").exists()
