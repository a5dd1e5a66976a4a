"""Foreign files: read within limits, and refused in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.errors import DatasetError
from models.foreign import MAX_BYTES, Foreign, checked, load, load_rows, loads, read_bytes, read_text

if TYPE_CHECKING:
    from pathlib import Path


class Entry(Foreign):
    name: str
    size: float = 0.0


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_read_in_the_encodings_that_tools_write(tmp_path: Path, encoding: str) -> None:
    assert read_text(write(tmp_path / "a.txt", "類別 Riß".encode(encoding))) == "類別 Riß"


@pytest.mark.parametrize("data", [b"caf\xe9", b"\xff\xfe\x00", b"\xff\xfe\x00\xd8\x00\xd8"])
def test_another_encoding_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DatasetError, match="is not UTF-8 text"):
        read_text(write(tmp_path / "a.txt", data))


@pytest.mark.parametrize("data", [b"", b" \n\t"])
def test_an_empty_file_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DatasetError, match="is empty: export it again"):
        read_bytes(write(tmp_path / "a.json", data))


def test_a_file_that_can_not_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone"):
        with pytest.raises(DatasetError, match="give a file that can be read"):
            read_bytes(path)


def test_a_file_that_would_fill_memory_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(DatasetError, match="at most"):
        read_bytes(path)


def test_what_is_not_used_is_passed_over(tmp_path: Path) -> None:
    assert load(write(tmp_path / "a.json", '{"name": "a", "more": [1]}'), Entry) == Entry(name="a")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Invalid JSON"),
        ("[" * 100_000, "Invalid JSON"),
        ('{"name": 3}', "name: Input should be a valid string"),
        ('{"size": "x"}', r"name: Field required \(and 1 more\)"),
        ('{"name": "a", "size": NaN}', "size: Input should be a finite number"),
        ('{"name": "a", "size": 1e999}', "size: Input should be a finite number"),
        ("7", "valid dictionary|object"),
    ],
)
def test_the_first_mistake_is_named(text: str, reason: str) -> None:
    with pytest.raises(DatasetError, match=rf"^a\.json: .*{reason}.*: export it again$"):
        loads(text, "a.json", Entry)


def test_a_mistake_does_not_repeat_the_file() -> None:
    with pytest.raises(DatasetError) as error:
        loads('{"name": [' + '"x",' * 100_000 + '""]}', "a.json", Entry)
    assert len(str(error.value)) < 300


def test_a_part_is_checked_as_a_file_is() -> None:
    assert checked({"name": "a"}, "x", Entry) == Entry(name="a")
    with pytest.raises(DatasetError, match=r"^x: name: Field required"):
        checked({}, "x", Entry)


@pytest.mark.parametrize(
    ("form", "text"), [("list", '[{"name": "a"}]'), ("object", '{"name": "a"}'), ("lines", '{"name": "a"}\n\n')]
)
def test_rows_are_read_in_every_form(tmp_path: Path, form: str, text: str) -> None:
    assert load_rows(write(tmp_path / "a.json", text), form, Entry) == [Entry(name="a")]


def test_a_broken_line_is_told_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a\.ndjson:2: name"):
        load_rows(write(tmp_path / "a.ndjson", '{"name": "a"}\n{}\n'), "lines", Entry)
