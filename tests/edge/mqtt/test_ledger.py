from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import OutboxError
from edge.mqtt.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

_SPANS = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 6)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(spans=_SPANS, window=st.tuples(st.integers(1, 40), st.integers(0, 20)))
def test_a_ledger_is_a_set_of_numbers(spans: list[tuple[int, int]], window: tuple[int, int]) -> None:
    known: set[int] = set()
    with Ledger() as ledger:
        for first, length in spans:
            ledger.add("line", "e", first, first + length)
            known |= set(range(first, first + length + 1))
        assert [n for n in range(1, 60) if ledger.has("line", "e", n)] == sorted(known)
        assert ledger.highest("line", "e") == max(known, default=0)
        first, last = window[0], window[0] + window[1]
        missing = [n for n in range(first, last + 1) if n not in known]
        gap = ledger.gap("line", "e", first, last)
        if not missing:
            assert gap is None
        else:
            assert gap is not None
            assert gap[0] == missing[0]
            assert set(range(gap[0], gap[1] + 1)) <= set(missing)
            assert gap[1] == last or gap[1] + 1 in known
        rows = ledger._db.execute("SELECT first, last FROM spans ORDER BY first").fetchall()  # noqa: SLF001
        assert all(b - a > 1 for (_, a), (b, _) in pairwise(rows))  # merged, so it stays small


def test_a_ledger_with_a_file_remembers_and_keeps_its_name(tmp_path: Path) -> None:
    with Ledger(tmp_path / "seen.sqlite") as ledger:
        name = ledger.client_id
        ledger.set_floor("line", "e", 4)
        ledger.add("line", "e", 5, 5)
    with Ledger(tmp_path / "seen.sqlite") as ledger:
        assert ledger.client_id == name
        assert ledger.has("line", "e", 5)
        assert ledger.floor("line", "e") == 4
        assert ledger.knows("line")
        assert not ledger.knows("other")
    with Ledger() as other:
        assert other.client_id != name


def test_a_file_that_is_no_ledger_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "seen.sqlite").write_text("no database, but long enough to be looked at" * 10)
    with pytest.raises(OutboxError, match=r"seen\.sqlite: file is not a database"):
        Ledger(tmp_path / "seen.sqlite")
