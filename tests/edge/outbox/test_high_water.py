from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.outbox.high_water import BLOCK, HighWater

EPOCH = "0123456789abcdef"


def test_numbers_are_reserved_by_the_block_and_remembered(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    mark = HighWater(path)
    assert mark.read() is None
    mark.reserve(EPOCH, 1)
    before = path.read_bytes()
    mark.reserve(EPOCH, 1 + BLOCK)
    assert path.read_bytes() == before
    mark.use(EPOCH, 7)
    known = HighWater(path).read()
    assert known is not None
    assert (known.epoch, known.reserved, known.used) == (EPOCH, 1 + BLOCK, 7)


@given(slot=st.integers(0, 3), offset=st.integers(0, 511), blocks=st.integers(1, 5))
def test_no_torn_sector_takes_the_reservation_below_what_was_used(slot: int, offset: int, blocks: int) -> None:
    """The slot that is not the newest may be torn by the write that makes it the newest."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mark"
        mark = HighWater(path)
        for block in range(blocks):
            mark.reserve(EPOCH, 1 + block * (BLOCK + 1))
            mark.use(EPOCH, 1 + block * (BLOCK + 1))
        reserved = 1 + (blocks - 1) * (BLOCK + 1) + BLOCK
        data = bytearray(path.read_bytes())
        data[slot * 512 + offset] ^= 0xFF
        path.write_bytes(data)
        found = HighWater(path).read()
        newest_reserved = blocks % 2
        if slot != newest_reserved:
            assert found is not None
            assert found.reserved == reserved


def test_a_file_of_something_else_is_no_mark(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    path.write_bytes(b"EDGELOU1" * 256)
    assert HighWater(path).read() is None


@pytest.mark.parametrize("size", [0, 1, 100, 600])
def test_a_file_cut_short_is_no_error(tmp_path: Path, size: int) -> None:
    path = tmp_path / "mark"
    HighWater(path).reserve(EPOCH, 1)
    path.write_bytes(path.read_bytes()[:size])
    HighWater(path).read()


def test_a_flush_that_failed_never_costs_the_reservation_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mark"
    mark = HighWater(path)
    mark.reserve(EPOCH, 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        for _ in range(2):  # each try leaves an unflushed slot behind, and it is always the same one
            with pytest.raises(OSError, match="fdatasync"):
                mark.reserve(EPOCH, 1 + BLOCK + 1)
    data = path.read_bytes()
    known = [slot for slot in (0, 1) if int.from_bytes(data[slot * 512 + 32 : slot * 512 + 40], "big") == 1 + BLOCK]
    assert len(known) == 1
    mark.reserve(EPOCH, 1 + BLOCK + 1)
    found = HighWater(path).read()
    assert found is not None
    assert found.reserved == 2 + 2 * BLOCK


def failing(handle: int) -> None:
    raise OSError(f"fdatasync of {handle}")


def test_a_file_that_was_put_in_its_place_is_the_one_written_to(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    mark = HighWater(path)
    mark.reserve(EPOCH, 1)
    path.unlink()
    mark.reserve(EPOCH, 1 + BLOCK + 1)
    mark.use(EPOCH, 200)
    mark.close()
    found = HighWater(path).read()
    assert found is not None
    assert (found.reserved, found.used) == (2 + 2 * BLOCK, 200)
