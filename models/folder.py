"""Folder: what lies in a data set's folder, listed once, and a first look into its files."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import pydantic_core

from edge.errors import DatasetError
from models.foreign import read_text
from models.pictures import Pictures, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Peek(NamedTuple):
    """The outer form of a JSON file."""

    form: str  # "object", "list" of objects, "lines" of objects
    keys: frozenset[str]  # of the object, or of the first one; `a.b` where its list `a` begins with an object with `b`


class Folder:
    """A data set's folder, or the folder around one annotation file."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise DatasetError(f"{path}: there is no such file or folder: give a data set")
        self.named = path.is_file()
        if (path.parent if self.named else path).name in ("", ".."):  # as of `.`, whose parent has to be known
            path = path.resolve()
        self.root = path.parent if self.named else path
        if self.named and self.root.name == "annotations":
            self.root = self.root.parent
        self.files = [path] if self.named else sorted(p for p in path.rglob("*") if p.is_file() and shown(p, path))

    @cached_property
    def pictures(self) -> Pictures:
        """The picture files, masks among them."""
        return Pictures(self.root)

    def ending(self, *suffixes: str) -> list[Path]:
        """List the files with one of these suffixes, as `.json`."""
        return [path for path in self.files if path.suffix.lower() in suffixes]

    def json(self, form: str, *keys: str) -> list[Path]:
        """List the JSON files of that outer form whose (first) object has all of `keys`."""
        looks = self._looks.items()
        return [path for path, look in looks if look and look.form == form and look.keys >= set(keys)]

    @cached_property
    def _looks(self) -> dict[Path, Peek | None]:
        return {path: peek(path) for path in self.ending(".json", ".ndjson", ".jsonl")}


def peek(path: Path) -> Peek | None:
    """Look at the outer form of a JSON file, also of one cut short; None where it has none of ours."""
    try:
        text = read_text(path).lstrip()
    except DatasetError:
        return None
    first, _, rest = text.partition("\n")
    try:
        data, form = pydantic_core.from_json(first), "lines" if rest.strip() else "object"
    except ValueError:
        try:
            data, form = pydantic_core.from_json(text, allow_partial=True), "object"
        except ValueError:
            return None
    if isinstance(data, list) and data:
        data, form = data[0], "list"
    return Peek(form, frozenset(_keys(data))) if isinstance(data, dict) else None


def _keys(data: dict[str, object]) -> Iterator[str]:
    for key, value in data.items():
        yield key
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield from (f"{key}.{inner}" for inner in value[0])
