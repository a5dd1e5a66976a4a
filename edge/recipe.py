"""Recipe: what to inspect on one product, put together from the configuration; and which one was chosen last."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.cache import write_whole
from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge.camera_config import CameraConfig
    from edge.config import Config, RuleConfig

log = logging.getLogger(__name__)

_SCHEMA = "edgeloupe.recipe/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to inspect on one product: nothing in it is left unset."""

    name: str | None  # none: the device has no recipes, and this is its configuration
    rules: Mapping[str, RuleConfig]
    cameras: Mapping[str, CameraConfig]
    bundle: Path | None  # its own model; none: the device's

    @property
    def zones(self) -> set[str]:
        """The names of all zones."""
        return {zone for camera in self.cameras.values() for zone in camera.zones}


def recipes_of(config: Config) -> dict[str | None, Recipe]:
    """Give all recipes of a device by name; one that has none has one without a name."""
    if not config.recipes:
        return {None: Recipe(name=None, rules=config.rules, cameras=config.cameras, bundle=None)}
    found: dict[str | None, Recipe] = {}
    for name, told in config.recipes.items():
        changes = {key: {what: new for what, new in one if new is not None} for key, one in told.cameras.items()}
        cameras = {key: camera.model_copy(update=changes.get(key)) for key, camera in config.cameras.items()}
        found[name] = Recipe(name=name, rules=told.rules or config.rules, cameras=cameras, bundle=told.bundle)
    return found


def first_recipe(config: Config) -> str | None:
    """Say which recipe the configuration begins with."""
    return config.recipe or next(iter(config.recipes), None)


def served_recipes(config: Config) -> dict[str | None, Recipe]:
    """Give the recipes that one and the same model serves: the first one, and those beside it without a restart."""
    recipes = recipes_of(config)
    bundle = recipes[first_recipe(config)].bundle
    return {name: recipe for name, recipe in recipes.items() if recipe.bundle == bundle}


def bundle_of(config: Config) -> Path | None:
    """Give the bundle that the first recipe's pictures are judged by; none: the one that was activated."""
    return recipes_of(config)[first_recipe(config)].bundle or config.model.bundle


class RecipeChoice:
    """The recipe that was chosen last, in a small file: a power cut leaves the old choice or the new one."""

    def __init__(self, config: Config) -> None:
        self._path = config.storage.state_dir / "recipe.json"
        self._names = set(config.recipes)
        self._first = first_recipe(config)

    def read(self) -> str | None:
        """Give the choice; the configuration's where none was made, or it was changed since."""
        try:
            told = json.loads(self._path.read_bytes())
            chosen, first = told["recipe_id"], told["configured"]
        except FileNotFoundError:
            return self._first
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.error("%s: %s: beginning with recipe %s", self._path, error, self._first)  # noqa: TRY400 - one line
            return self._first
        if chosen in self._names and first == self._first:
            return str(chosen)
        if self._names:
            log.warning("recipe %s was chosen under another configuration: beginning with %s", chosen, self._first)
        return self._first

    def write(self, name: str) -> None:
        """Keep a choice. Raises ConfigError when it can't be written."""
        told = {"schema": _SCHEMA, "recipe_id": name, "configured": self._first}
        try:
            write_whole(self._path, json.dumps(told).encode())
        except OSError as error:
            raise ConfigError(f"{self._path}: {error.strerror}: the recipe stays as it is: check the disk") from error
