"""Every command and every setting is documented."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from pydantic import BaseModel

from edge import cli, sinks
from edge.config import Config
from edge.source import SCHEMES
from models.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SETTINGS = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
RECIPE = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PLACES = {
    "cameras": "NAME",
    "operators": "NAME",
    "recipes": "NAME",
    "retention": "CLASS",
    "rules": "CLASS",
    "sinks": "NAME",
    "zones": "ZONE",
}
AS_ELSEWHERE = ("recipes.NAME.rules", "recipes.NAME.cameras.NAME.tiles", "recipes.NAME.cameras.NAME.zones")
"""Sections whose keys are those of another one."""


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Give every key with the text of its default."""
    for name, field in model.model_fields.items():
        inner = [part for part in _parts(field.annotation) if issubclass(part, BaseModel)]
        yield f"{prefix}{name}", str(field.default)
        for section in inner if f"{prefix}{name}" not in AS_ELSEWHERE else ():
            yield from settings(section, f"{prefix}{name}.{PLACES[name]}." if name in PLACES else f"{prefix}{name}.")


def _parts(annotation: object) -> Iterator[type]:
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


DOCUMENTED = pytest.mark.parametrize(
    ("model", "page"), [(Config, SETTINGS), (Recipe, RECIPE)], ids=["device", "recipe"]
)


@DOCUMENTED
def test_every_setting_is_documented(model: type[BaseModel], page: str) -> None:
    missing = [key for key, _ in settings(model) if f"`{key}`" not in page]
    assert missing == []


@DOCUMENTED
def test_every_documented_setting_exists(model: type[BaseModel], page: str) -> None:
    rows = "\n".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| "))
    assert set(re.findall(r"`([a-z_]+(?:\.[A-Za-z_]+)*)`", rows)) == {key for key, _ in settings(model)}


@DOCUMENTED
def test_numbers_given_as_defaults_are_the_defaults(model: type[BaseModel], page: str) -> None:
    defaults: dict[str, set[str]] = {}
    for key, default in settings(model):
        defaults.setdefault(key, set()).add(default)  # kinds of sinks may share a key
    for key, allowed in defaults.items():
        rows = re.findall(rf"^\| `{re.escape(key)}` \| (\d+(?:\.\d+)?) \|", page, re.MULTILINE)
        numbers = {float(value) for value in allowed if re.fullmatch(r"\d+(\.\d+)?", value)}
        assert {float(row) for row in rows} <= numbers, key


def test_every_command_and_camera_scheme_is_documented() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for name in cli.commands():
        assert f"`edgeloupe {name}" in changes or f"edgeloupe {name}" in README or f"`{name}`" in changes, name
    for scheme in SCHEMES:
        assert f"`{scheme}:" in SETTINGS
    for kind in sinks.KINDS:
        assert f"`kind: {kind}`" in SETTINGS
        assert f"| `{kind}` |" in README
