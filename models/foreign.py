"""Foreign files: JSON that other people's tools wrote, read with limits and checked before anybody relies on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from edge.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 512 * 2**20
"""Largest annotation file: COCO's own training set stays below it."""

M = TypeVar("M", bound="Foreign")


class Foreign(BaseModel):
    """A part of a foreign file: what we don't use is passed over, numbers are finite."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


def read_bytes(path: Path) -> bytes:
    """Read a foreign file whole. Raises DatasetError: unreadable, empty, or larger than `MAX_BYTES`."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DatasetError(f"{path}: has {size} bytes: at most {MAX_BYTES} are read; split it")
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror or error}: give a file that can be read") from error
    if not data.strip():
        raise DatasetError(f"{path}: is empty: export it again")
    return data


def read_text(path: Path) -> str:
    """Read a foreign text file: UTF-8, with or without a byte order mark, or UTF-16 with one. Raises DatasetError."""
    data = read_bytes(path)
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: is not UTF-8 text (byte {error.start}): save it as UTF-8") from error


def load(path: Path, model: type[M]) -> M:
    """Read a JSON file as `model`. Raises DatasetError with the first mistake and its place."""
    return loads(read_text(path), str(path), model)


def loads(text: str, where: str, model: type[M]) -> M:
    """Read JSON `text` as `model`; `where` stands in the error. Raises DatasetError."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise _refusal(error, where) from error


def checked(value: object, where: str, model: type[M]) -> M:
    """Take a part of a JSON file as `model`; `where` stands in the error. Raises DatasetError."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _refusal(error, where) from error


def load_rows(path: Path, form: str, model: type[M]) -> list[M]:
    """Read a JSON file of that outer form, as `models.folder.peek` tells it, as a list. Raises DatasetError."""
    text = read_text(path)
    if form == "lines":
        lines = ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())
        return [loads(line, f"{path}:{number}", model) for number, line in lines]
    if form == "object":
        return [loads(text, str(path), model)]
    try:
        return TypeAdapter(list[model]).validate_json(text)  # type: ignore[valid-type]  # the type is a value here
    except ValidationError as error:
        raise _refusal(error, str(path)) from error


def _refusal(error: ValidationError, where: str) -> DatasetError:
    fault = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in fault["loc"])[:120]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return DatasetError(f"{where}: {place + ': ' if place else ''}{fault['msg'][:160]}{more}: export it again")
