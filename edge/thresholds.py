"""Thresholds: the rules in force; as configured, until an operator adjusts them while the device runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from edge.config import RuleConfig
from edge.errors import ConfigError
from edge.slot import Slot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CAPACITY = 64 * 1024


def adjusted(rules: Mapping[str, RuleConfig], changes: Any) -> dict[str, RuleConfig]:
    """Change some settings of some rules, as in `{"spot": {"min_score": 0.6}}`.

    Raises:
        ConfigError: no such rule or setting, or a bad value.
    """
    if not isinstance(changes, dict) or not all(isinstance(settings, dict) for settings in changes.values()):
        raise ConfigError('rules: say which and how, as in {"spot": {"min_score": 0.6}}')
    found = dict(rules)
    for label, settings in changes.items():
        if label not in rules:
            raise ConfigError(f"rules.{label}: there is none, only {', '.join(rules)}")
        try:
            found[label] = RuleConfig.model_validate({**rules[label].model_dump(), **settings})
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            where = ".".join(["rules", label, *map(str, fault["loc"])])
            raise ConfigError(f"{where}: {fault['msg']}") from error
    return found


class Thresholds:
    """What the core tells the worker of the rules in force; each has one end."""

    def __init__(self, runtime_dir: Path) -> None:
        self._path = runtime_dir / "thresholds.slot"
        self._slot: Slot | None = None
        self._seen = 0

    def create(self) -> None:
        """Begin with the rules as they are configured. Raises OSError."""
        self._slot = Slot.create(self._path, _CAPACITY)

    def tell(self, rules: Mapping[str, RuleConfig]) -> None:
        """Put rules into force."""
        if self._slot is not None:
            self._slot.write({label: rule.model_dump() for label, rule in rules.items()}, {})

    def heard(self) -> dict[str, RuleConfig] | None:
        """Give the rules in force if they are others than last time; None where nobody told any."""
        if self._slot is None and self._path.exists():
            self._slot = Slot(self._path, read_only=True)
        told = None if self._slot is None else self._slot.newest(self._seen)
        if told is None:
            return None
        self._seen = told.sequence
        return {label: RuleConfig.model_validate(rule) for label, rule in told.meta.items()}
