"""Read a YAML file into a strict pydantic model: every mistake at once, each with its line and the nearest name."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

M = TypeVar("M", bound="Strict")
Slug = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")]
"""A name of the user's own, fit to be a level of a topic."""


class Strict(BaseModel):
    """A section of a file: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def load(path: Path, model: type[M]) -> M:
    """Read `path` and validate it.

    Raises:
        ConfigError: the file is missing, is not YAML, or breaks a rule; one line per mistake, as
            `edgeloupe.yaml:12: cameras.belt.fps = 0: must be greater than 0`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"{path}: {reason}: give a YAML file that can be read") from error
    return loads(text, str(path), model)


def loads(text: str, name: str, model: type[M]) -> M:
    """Validate YAML `text`; `name` stands in the errors. Raises as `load` does."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{name}:{line}: not valid YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{name}: not valid YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{name}:1: must be a mapping of keys to values, such as `device: line-3`")
    faults = [f"{name}:{line}: repeated key {key!r}: keep one of them" for key, line in _repeated(node)]
    try:
        value = model.model_validate(data)
    except ValidationError as error:
        faults += [
            f"{name}:{_line(node, fault['loc'])}: {_explain(fault, model)}" for fault in error.errors(include_url=False)
        ]
    if faults:
        raise ConfigError("\n".join(faults))
    return value


def _explain(fault: Any, model: type[BaseModel]) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(fault["loc"][-1]), sorted(_keys_at(model, fault["loc"][:-1])), 1)
        return f"unknown key {where!r}" + (f": did you mean {near[0]!r}?" if near else ": remove it")
    if fault["type"] == "missing":
        return f"{where}: is missing: add it"
    reason = str(fault["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    value = repr(fault["input"])
    return f"{where} = {value[:60]}: {reason[:1].lower()}{reason[1:]}" if where else reason


def _keys_at(model: type[BaseModel], loc: Sequence[int | str]) -> set[str]:
    """Give the keys allowed at `loc`; a step that is no field is an index, a map key or a union's tag."""
    models = [model]
    for part in loc:
        fields = [m.model_fields[part] for m in models if part in m.model_fields]
        if fields:
            models = [found for field in fields for found in _models_in(field.annotation)]
    return {field.alias or name for m in models for name, field in m.model_fields.items()}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _line(node: yaml.Node | None, loc: Sequence[int | str]) -> int:
    """Find the line of the deepest node along `loc` that stands in the file."""
    line = 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if pair is None:
                continue  # a union's tag, or a key that is missing
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _repeated(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield str(key.value), key.start_mark.line + 1
            seen.add(key.value)
            yield from _repeated(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repeated(value)
