"""Thresholds: the recipe and the rules in force; as configured, until an operator changes them while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from edge.config import RuleConfig
from edge.errors import ConfigError
from edge.slot import Slot

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

_CAPACITY = 64 * 1024


class InForce(NamedTuple):
    """What frames are judged by."""

    recipe: str | None  # none: the device has no recipes
    rules: Mapping[str, RuleConfig]


def adjusted(rules: Mapping[str, RuleConfig], changes: Any, zones: Collection[str] = ()) -> dict[str, RuleConfig]:
    """Change some settings of some rules, as in `{"spot": {"min_score": 0.6, "zones": {"rim": {"ignore": true}}}}`.

    Args:
        rules: as they are.
        changes: by class; those by zone likewise.
        zones: that there are.

    Raises:
        ConfigError: no such rule, zone or setting, or a bad value.
    """
    if not isinstance(changes, dict) or not all(isinstance(settings, dict) for settings in changes.values()):
        raise ConfigError('rules: say which and how, as in {"spot": {"min_score": 0.6}}')
    found = dict(rules)
    for label, settings in changes.items():
        if label not in rules:
            raise ConfigError(f"rules.{label}: there is none, only {', '.join(rules)}")
        told = rules[label].model_dump()
        try:
            by_zone = _by_zone(f"rules.{label}.zones", told["zones"], settings.get("zones", {}), zones)
            found[label] = RuleConfig.model_validate({**told, **settings, "zones": by_zone})
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            where = ".".join(["rules", label, *map(str, fault["loc"])])
            raise ConfigError(f"{where}: {fault['msg']}") from error
    return found


def _by_zone(where: str, told: Mapping[str, Any], changes: Any, zones: Collection[str]) -> dict[str, Any]:
    if not isinstance(changes, dict) or not all(isinstance(settings, dict) for settings in changes.values()):
        raise ConfigError(f'{where}: say which and how, as in {{"rim": {{"min_score": 0.6}}}}')
    unknown = [zone for zone in changes if zone not in zones]
    if unknown:
        there = f"only {', '.join(sorted(zones))}" if zones else "none at all"
        raise ConfigError(f"{where}.{unknown[0]}: no camera has such a zone, {there}")
    return {**told, **{zone: {**told.get(zone, {}), **settings} for zone, settings in changes.items()}}


class Thresholds:
    """What the core tells the worker of the recipe and the rules in force; each has one end."""

    def __init__(self, runtime_dir: Path) -> None:
        self._path = runtime_dir / "thresholds.slot"
        self._slot: Slot | None = None
        self._seen = 0

    def create(self) -> None:
        """Begin without a word: what is configured holds. Raises OSError."""
        self._slot = Slot.create(self._path, _CAPACITY)

    def tell(self, told: InForce) -> None:
        """Put a recipe and rules into force, both at once. Raises ConfigError when they are too many."""
        if self._slot is not None:
            rules = {label: rule.model_dump() for label, rule in told.rules.items()}
            try:
                self._slot.write({"recipe": told.recipe, "rules": rules}, {})
            except ValueError as error:
                raise ConfigError(f"rules: take more than {_CAPACITY} bytes: name fewer zones") from error

    def heard(self) -> InForce | None:
        """Give what is in force if it is another than last time; None where nobody told any."""
        if self._slot is None and self._path.exists():
            self._slot = Slot(self._path, read_only=True)
        told = None if self._slot is None else self._slot.newest(self._seen)
        if told is None:
            return None
        self._seen = told.sequence
        rules = {label: RuleConfig.model_validate(rule) for label, rule in told.meta["rules"].items()}
        return InForce(told.meta["recipe"], rules)
