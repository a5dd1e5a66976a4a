"""Retention: what evidence goes first when space ends, and how long it stays otherwise.

A file's name says all it takes, so that nothing hangs on a database: `RESULT~STEP~CLASS~CLASS.jpg`, where STEP is the
alert's. Files that were named otherwise count as a beginning's, of no class.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from edge.evidence_config import RetentionConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_MARK = "~"
_MOST_CLASSES = 4
"""A file's name has room for 255 bytes."""
_DAY_S = 86_400.0


Retention: TypeAlias = "Mapping[str, RetentionConfig]"
"""By class."""
FOR_EVER: Retention = {}
_ANY = RetentionConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """The files of one name."""

    stem: str  # relative to the root: YYYY-MM-DD/HH/CAMERA/NAME
    paths: tuple[Path, ...]
    size_bytes: int

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that were found."""
        return tuple(self.stem.split(_MARK)[2:])

    @property
    def is_update(self) -> bool:
        """Whether it shows how an alert went on, not how it began."""
        return self.stem.split(_MARK)[1:2] == ["update"]

    @property
    def captured_at(self) -> float | None:
        """The hour in which it was taken, in seconds since the epoch; None where its folders are named otherwise."""
        try:
            return datetime.strptime("/".join(self.stem.split("/")[:2]), "%Y-%m-%d/%H").replace(tzinfo=UTC).timestamp()
        except ValueError:
            return None


def name_of(result_id: str, step: str, labels: Iterable[str]) -> str:
    """Name the files behind one step of an alert."""
    return _MARK.join((result_id, step, *list(dict.fromkeys(labels))[:_MOST_CLASSES]))


def expired(items: Iterable[Item], retention: Retention, now_s: float) -> list[Item]:
    """Choose what is older than the longest time that any of its classes is kept."""

    def is_over(item: Item) -> bool:
        days = [rule.days for rule in _rules(item, retention)]
        longest = None if None in days else max(day for day in days if day is not None)
        return longest is not None and item.captured_at is not None and now_s - item.captured_at > longest * _DAY_S

    return [item for item in items if is_over(item)]


def surplus(items: Sequence[Item], retention: Retention, limit_bytes: int) -> list[Item]:
    """Choose what has to go for the rest to fit: lowest priority first, then updates, then the oldest."""

    def weight(item: Item) -> tuple[int, bool, str]:
        return max(rule.priority for rule in _rules(item, retention)), not item.is_update, item.stem

    doomed, total = [], sum(item.size_bytes for item in items)
    for item in sorted(items, key=weight):
        if total <= limit_bytes:
            break
        doomed.append(item)
        total -= item.size_bytes
    return doomed


def _rules(item: Item, retention: Retention) -> list[RetentionConfig]:
    """Give the rules for its classes; the default's where it has none."""
    return [retention.get(label, _ANY) for label in item.labels or ("",)]
