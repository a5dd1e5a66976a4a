"""Folder: what lies where, and what form a JSON file has."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import DatasetError
from models.folder import Folder, Peek, peek


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_folder_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no such file or folder"):
        Folder(tmp_path / "gone")


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    kept = write(tmp_path / "a" / "b.JSON", "{}")
    write(tmp_path / ".cache" / "c.json", "{}")
    assert Folder(tmp_path).ending(".json") == [kept]


@pytest.mark.parametrize(("place", "root"), [("x.json", "."), ("sub/x.json", "sub"), ("annotations/x.json", ".")])
def test_a_file_stands_for_the_folder_around_it(tmp_path: Path, place: str, root: str) -> None:
    path = write(tmp_path / place, "{}")
    folder = Folder(path)
    assert (folder.named, folder.files, folder.root) == (True, [path], tmp_path / root)


@pytest.mark.parametrize(
    ("text", "look"),
    [
        ('{"a": 1, "b": []}', Peek("object", frozenset({"a", "b"}))),
        ('{"a": [{"b": 1}]}', Peek("object", frozenset({"a", "a.b"}))),
        ('[{"a": 1}, 7]', Peek("list", frozenset({"a"}))),
        ('{"a": 1}\n{"b": 1}\n', Peek("lines", frozenset({"a"}))),
        ('{"a": 1, "b": [1, 2', Peek("object", frozenset({"a", "b"}))),
        ("[]", None),
        ("7", None),
        ("no JSON", None),
        ("", None),
        ("[" * 100_000, None),
    ],
)
def test_the_outer_form_of_json_is_seen(tmp_path: Path, text: str, look: Peek | None) -> None:
    assert peek(write(tmp_path / "x.json", text)) == look


def test_json_is_found_by_its_form_and_keys(tmp_path: Path) -> None:
    shapes = write(tmp_path / "a.json", '{"shapes": [], "imagePath": "a.jpg"}')
    write(tmp_path / "b.json", '{"shapes": []}')
    write(tmp_path / "c.json", '[{"shapes": [], "imagePath": "a.jpg"}]')
    assert Folder(tmp_path).json("object", "shapes", "imagePath") == [shapes]


def test_the_folder_one_stands_in_has_a_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "one.json").touch()
    monkeypatch.chdir(tmp_path)
    for name in (".", "sub/..", "one.json"):
        assert Folder(Path(name)).root.parent == tmp_path.parent
