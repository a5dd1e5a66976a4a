"""Succession: which model the next worker opens; a newly activated one is watched, and taken back if it fails."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from edge.bundle_store import BundleStore, Standing, chosen_bundle, release_of
from edge.errors import BundleError, ConfigError, EdgeloupeError
from edge.recipe import bundle_of

if TYPE_CHECKING:
    from pathlib import Path

    from edge.clock import Clock
    from edge.config import Config

log = logging.getLogger(__name__)

PROVEN_S = 60.0
"""A model that inspected for so long since it was opened is proven."""


class Succession:
    """Belongs to the core's thread; what stands in the store is changed by the command line, too."""

    def __init__(self, config: Config, clock: Clock) -> None:
        """Raises ConfigError, BundleError where there is no model to begin with."""
        self._store = BundleStore(config.storage.state_dir)
        self._clock = clock
        self._running: Path | None = None  # what the worker was told to open
        self._ready_mono_s: float | None = None
        chosen_bundle(config)
        if bundle_of(config) is None and self._store.standing().tried:
            self._lost("the device began anew before it was proven")

    def opening(self, config: Config) -> Config:
        """Give the configuration for a worker that is about to start, with the model it is to open."""
        self._ready_mono_s = None
        try:
            self._running = chosen_bundle(config)
            if self._is_active():
                self._store.begin()
        except EdgeloupeError as error:
            if self._running is None:
                raise
            log.error("%s: going on with %s", error, self._running)  # noqa: TRY400 - one line for the operator
        return _with_bundle(config, self._running)

    def ready(self) -> None:
        """Take note that the worker opened its model."""
        self._ready_mono_s = self._clock.monotonic_s()

    def tend(self) -> None:
        """Take note that the model has run for a while; to be called regularly."""
        if self._ready_mono_s is None or self._clock.monotonic_s() - self._ready_mono_s < PROVEN_S:
            return
        self._ready_mono_s = None
        try:
            if self._is_active():
                self._store.prove()
        except BundleError as error:
            log.error("%s", error)  # noqa: TRY400 - one line for the operator

    def failed(self, reason: str, *, for_good: bool = False) -> None:
        """Take note that the worker ended or hung with its model, or (`for_good`) can't use it."""
        self._ready_mono_s = None
        if self._is_active():
            self._lost(reason, for_good=for_good)

    def earlier(self, config: Config) -> Config:
        """Give a configuration with the model that ran before, to be tried. Raises BundleError, ConfigError."""
        if bundle_of(config) is not None:
            raise ConfigError("the configuration names the model: put another one there, and reload_model")
        return _with_bundle(config, self._store.path(self._store.before()))

    def roll_back(self, tried: Config) -> str:
        """Go back to the model that was tried; give its name. Raises BundleError."""
        if tried.model.bundle != self._store.folder / self._store.before():
            raise BundleError("another model was activated meanwhile: ask again")
        return self._store.rollback()

    def told(self) -> dict[str, Any]:
        """Say which model is active but not loaded yet, and which one was taken back."""
        standing = self._standing()
        inside = self._running is not None and self._running.parent == self._store.folder
        name = standing.active if inside and standing.active and not self._is_active() else None
        return {
            "next_model": {"name": name.rpartition("-")[0], "release": release_of(name)} if name else None,
            "refused_model": standing.refused.model_dump() if standing.refused else None,
        }

    def _is_active(self) -> bool:
        active = self._standing().active
        return active is not None and self._running == self._store.folder / active

    def _standing(self) -> Standing:
        """Look at the store; where it can't be read nothing can be said of it, and what runs goes on."""
        try:
            return self._store.standing()
        except BundleError:
            return Standing()

    def _lost(self, reason: str, *, for_good: bool = False) -> None:
        try:
            instead = self._store.fail(reason, for_good=for_good)
        except BundleError as error:
            log.error("%s", error)  # noqa: TRY400 - one line for the operator
            return
        if instead is not None:
            log.error("the new model is taken back, %s runs instead: %s", instead, reason)


def _with_bundle(config: Config, path: Path) -> Config:
    return config.model_copy(update={"model": config.model.model_copy(update={"bundle": path})})
