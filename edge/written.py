"""Written: a JSON object whose regions are text already; they are read again only where somebody asks for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


@dataclass(frozen=True, slots=True, eq=False)
class Written(Mapping[str, Any]):
    """Short fields as values, and behind them `regions`: hundreds of these are written once and cross as one text."""

    fields: Mapping[str, Any]
    regions: str  # a JSON array

    def __getitem__(self, name: str) -> Any:
        return json.loads(self.regions) if name == "regions" else self.fields[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.fields
        yield "regions"

    def __len__(self) -> int:
        return len(self.fields) + 1

    def but(self, **changes: Any) -> Written:
        """Give the same with other fields."""
        return Written({**self.fields, **changes}, self.regions)


def compact(**options: Any) -> json.JSONEncoder:
    """Make an encoder that writes no spaces; `options` are those of `json.JSONEncoder`."""
    return json.JSONEncoder(separators=(",", ":"), **options)


_COMPACT = compact()


def dumps(value: Mapping[str, Any], encoder: json.JSONEncoder = _COMPACT, *, without: Collection[str] = ()) -> str:
    """Write a mapping as JSON, leaving out some fields."""
    told = dict(value.fields if isinstance(value, Written) else value)
    for name in without:
        told.pop(name, None)
    text = encoder.encode(told)
    return f'{text[:-1]},"regions":{value.regions}}}' if isinstance(value, Written) else text
