"""Written: a JSON object whose regions are text already; they are read again only where somebody asks for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
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


def dumps(value: Mapping[str, Any], *, without: Collection[str] = (), **options: Any) -> str:
    """Write a mapping as JSON without spaces, leaving out some fields; further `options` are those of `json.dumps`."""
    known = value.fields if isinstance(value, Written) else value
    told = {name: field for name, field in known.items() if name not in without}
    text = _encoder(**options).encode(told)
    return f'{text[:-1]},"regions":{value.regions}}}' if isinstance(value, Written) else text


@cache
def _encoder(**options: Any) -> json.JSONEncoder:
    return json.JSONEncoder(separators=(",", ":"), **options)
