"""Bundle store: the models installed on this device, which of them runs, and which ran before.

bundles/NAME-RELEASE/    an installed bundle, verified and whole
bundles/state.json       which is active and which came before; replaced as a whole, so a power cut leaves old or new
bundles/.partial-*       what a power cut left of an installation; the next one removes it
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from edge.bundle import copy_bundle, open_bundle
from edge.cache import sync_folder, write_whole
from edge.errors import BundleError, ConfigError
from edge.recipe import bundle_of
from edge.strict_yaml import Strict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge.config import Config

MOST_FAILURES = 3
"""A bundle whose process failed so often before it was proven is taken back."""
KEPT_BEFORE = 3
"""So many of those that ran before can be gone back to."""


class Refusal(Strict):
    """A bundle that was taken back by the device itself."""

    bundle: str
    reason: str


class Standing(Strict):
    """Which of the installed bundles runs, and which ran before."""

    schema_version: Literal["edgeloupe.bundles/1"] = "edgeloupe.bundles/1"
    active: str | None = None
    tried: bool = False  # it was opened to inspect with
    proven: bool = False  # it has run here for a while
    failures: int = 0  # of its process, until it was proven
    before: tuple[str, ...] = ()  # proven ones that were active, newest first
    refused: Refusal | None = None  # the last one that was taken back

    def with_active(self, name: str) -> Standing:
        """Make another one active; the one that is becomes one of those before, if it was proven."""
        before = [self.active] if self.active and self.proven else []
        before += [one for one in self.before if one not in (name, self.active)]
        refused = self.refused if self.refused and self.refused.bundle != name else None
        return Standing(active=name, before=tuple(before[:KEPT_BEFORE]), refused=refused)

    def rolled_back(self, refused: Refusal | None) -> Standing:
        """Go back to the one before, which is proven."""
        told = refused or self.refused
        return Standing(active=self.before[0], tried=True, proven=True, before=self.before[1:], refused=told)


class BundleStore:
    """The folder; several processes may use it at once. Methods raise BundleError."""

    def __init__(self, state_dir: Path, *, minimum_release: int = 1) -> None:
        self.folder = state_dir / "bundles"
        self._minimum_release = minimum_release

    def standing(self) -> Standing:
        """Say which bundle runs; none where none was activated."""
        path = self.folder / "state.json"
        try:
            return Standing.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return Standing()
        except OSError as error:
            raise BundleError(f"{path}: {error.strerror}: check the disk and its owner") from error
        except ValidationError as error:
            raise BundleError(f"{path}: is damaged: remove it, and activate a bundle") from error

    def installed(self) -> list[str]:
        """List the installed bundles by name and release."""
        names = [path.parent.name for path in self.folder.glob("[!.]*/manifest.json")]
        return sorted(names, key=lambda name: (name.rpartition("-")[0], release_of(name)))

    def path(self, name: str) -> Path:
        """Give the folder of an installed bundle."""
        names = self.installed()
        if name not in names:
            raise BundleError(f"{self.folder}: holds no {name}, only {', '.join(names) or 'nothing yet'}")
        return self.folder / name

    def install(self, source: Path, trusted: Sequence[Path], prove: Callable[[Path], object]) -> str:
        """Verify a bundle, have `prove` try the copy, and keep it; give its name. The same again changes nothing.

        Args:
            source: a `.loupe` file or the same as a folder.
            trusted: public keys, as `open_bundle` takes them.
            prove: is given the copy; what it raises is passed on, and nothing is kept.
        """
        bundle = open_bundle(source, trusted=trusted)
        name = f"{bundle.manifest.name}-{bundle.manifest.release}"
        self._check_release(name)
        with self._locked("install.lock"), self._told():
            for left in self.folder.glob(".partial-*"):
                shutil.rmtree(left)
            known = self._sha256(name)
            if known == bundle.sha256:
                return name
            if known is not None:
                raise BundleError(f"{source}: another {name} is installed: give the new one a higher release")
            with tempfile.TemporaryDirectory(prefix=".partial-", dir=self.folder) as scratch:
                copy = Path(scratch) / name
                copy_bundle(bundle, copy)
                prove(copy)
                if (self.folder / name).exists():
                    (self.folder / name).rename(Path(scratch) / "damaged")
                copy.rename(self.folder / name)
                sync_folder(self.folder)
        return name

    def activate(self, name: str) -> None:
        """Have a bundle run from the worker's next start on. Those below the minimum release must have run here."""
        with self._changing() as standing:
            self.check(name)
            if name != standing.active:
                self._write(standing.with_active(name))

    def check(self, name: str) -> None:
        """See that a bundle may be activated."""
        self.path(name)
        if name not in self.standing().before:
            self._check_release(name)

    def before(self) -> str:
        """Give the bundle that ran before."""
        before = self.standing().before
        if not before:
            raise BundleError("no earlier model ran on this device: install one, and activate it")
        self.path(before[0])
        return before[0]

    def rollback(self) -> str:
        """Go back to the bundle that ran before; give its name."""
        with self._changing() as standing:
            name = self.before()
            self._write(standing.rolled_back(None))
            return name

    def begin(self) -> None:
        """Note that the active bundle is about to be opened for the first time."""
        if not self.standing().tried:
            with self._changing() as standing:
                self._write(standing.model_copy(update={"tried": True}))

    def prove(self) -> None:
        """Note that the active bundle has run for a while."""
        with self._changing() as standing:
            if not standing.proven:
                self._write(standing.model_copy(update={"proven": True, "failures": 0}))

    def fail(self, reason: str, *, for_good: bool) -> str | None:
        """Note that the active bundle failed; give the one that runs instead, if it is taken back.

        Only one that was not proven, and has another before it, is taken back: at once where it failed `for_good`,
        else after `MOST_FAILURES`.
        """
        with self._changing() as standing:
            if standing.active is None or standing.proven or not standing.before:
                return None
            failures = standing.failures + 1
            if for_good or failures >= MOST_FAILURES:
                refusal = Refusal(bundle=standing.active, reason=reason)
                self._write(standing.rolled_back(refusal))
                return standing.before[0]
            self._write(standing.model_copy(update={"failures": failures}))
            return None

    def remove(self, name: str) -> None:
        """Delete a bundle that neither runs nor ran before."""
        path = self.path(name)
        with self._locked("install.lock"), self._changing() as standing:
            if name in (standing.active, *standing.before):
                raise BundleError(f"{name}: is active, or may be gone back to: it stays")
            with tempfile.TemporaryDirectory(prefix=".partial-", dir=self.folder) as gone:
                path.rename(Path(gone) / name)

    def _sha256(self, name: str) -> str | None:
        """Say which bundle is installed under a name; none where none is, or it is damaged."""
        try:
            return open_bundle(self.folder / name).sha256
        except BundleError:
            return None

    def _check_release(self, name: str) -> None:
        if release_of(name) < self._minimum_release:
            raise BundleError(
                f"{name}: model.minimum_release is {self._minimum_release}: install a newer release, or roll back"
            )

    def _write(self, standing: Standing) -> None:
        write_whole(self.folder / "state.json", standing.model_dump_json(indent=1).encode())

    @contextmanager
    def _changing(self) -> Iterator[Standing]:
        """Hold what runs for a change; others wait."""
        with self._locked("lock"), self._told():
            yield self.standing()

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with self._told():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self.folder / name).open("w")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BundleError(
                f"{self.folder}: {error.strerror}: check the disk and the rights of its folder"
            ) from error


def release_of(name: str) -> int:
    """Read the release out of the name of an installed bundle; 0 where there is none."""
    digits = name.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0


def chosen_bundle(config: Config) -> Path:
    """Give the bundle that runs: of the first recipe, of the configuration, or the activated one.

    Raises:
        BundleError: the activated one can't be told, or is gone.
        ConfigError: there is none.
    """
    configured = bundle_of(config)
    if configured is not None:
        return configured
    store = BundleStore(config.storage.state_dir)
    active = store.standing().active
    if active is None:
        raise ConfigError("model.bundle: is missing, and no installed one is active: `edgeloupe bundle install BUNDLE`")
    return store.path(active)
