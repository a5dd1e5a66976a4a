"""The bundle store: what is installed is whole, and something always runs, whenever the power goes."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge.bundle import open_bundle
from edge.bundle_store import MOST_FAILURES, BundleStore, Standing, release_of
from edge.errors import BundleError
from tests.scripted import make_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORK = multiprocessing.get_context("fork")


def unproven(copy: Path) -> None:
    """Take a copy as it is."""
    assert open_bundle(copy).path == copy


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    return BundleStore(tmp_path / "state")


@pytest.fixture
def add(store: BundleStore, tmp_path: Path) -> Callable[[int], str]:
    """Installs a release."""
    return lambda release: store.install(make_bundle(tmp_path / f"{release}.loupe", release=release), [], unproven)


def test_a_zip_and_its_folder_are_installed_as_the_same_bundle_once(
    store: BundleStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGELOUPE_CACHE", str(tmp_path / "cache"))
    folder = make_bundle(tmp_path / "folder.loupe")
    packed = tmp_path / "packed.loupe"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder))
    assert store.install(packed, [], unproven) == "scripted-1"
    assert store.install(folder, [], lambda copy: pytest.fail(f"{copy} is there already")) == "scripted-1"
    assert store.installed() == ["scripted-1"]
    assert open_bundle(store.path("scripted-1")).sha256 == open_bundle(folder).sha256


def test_releases_are_listed_by_number(store: BundleStore, add: Callable[[int], str]) -> None:
    for release in (10, 9, 100):
        add(release)
    assert store.installed() == ["scripted-9", "scripted-10", "scripted-100"]
    assert release_of("scripted-100") == 100


def test_another_bundle_of_the_same_release_is_refused_and_a_damaged_one_is_replaced(
    store: BundleStore, tmp_path: Path, add: Callable[[int], str]
) -> None:
    kept = store.path(add(1))
    other = make_bundle(tmp_path / "other.loupe", spot="hole")
    with pytest.raises(BundleError, match="another scripted-1 is installed: give the new one a higher release"):
        store.install(other, [], unproven)
    (kept / "model.txt").write_text("torn", encoding="utf-8")
    store.install(other, [], unproven)
    assert open_bundle(kept).manifest.class_names == ("good", "hole")


def test_what_fails_its_trial_leaves_nothing(store: BundleStore, scripted_bundle: Path) -> None:
    def refuse(copy: Path) -> None:
        raise BundleError(f"{copy.name}: computes something else")

    with pytest.raises(BundleError, match="scripted-1: computes something else"):
        store.install(scripted_bundle, [], refuse)
    assert store.installed() == []
    assert not list(store.folder.glob(".partial-*"))


def test_below_the_minimum_release_only_what_ran_here_is_activated(
    tmp_path: Path, store: BundleStore, add: Callable[[int], str]
) -> None:
    for release in (1, 2, 3):
        add(release)
    store.activate("scripted-1")
    store.prove()
    strict = BundleStore(tmp_path / "state", minimum_release=3)
    with pytest.raises(BundleError, match=r"model\.minimum_release is 3: install a newer release, or roll back"):
        strict.activate("scripted-2")
    with pytest.raises(BundleError, match=r"model\.minimum_release is 3"):
        strict.install(make_bundle(tmp_path / "old.loupe", release=2), [], unproven)
    strict.activate("scripted-3")
    assert strict.rollback() == "scripted-1"
    strict.activate("scripted-3")
    strict.prove()
    assert strict.rollback() == "scripted-1"


def test_only_what_was_proven_can_be_gone_back_to(store: BundleStore, add: Callable[[int], str]) -> None:
    for release in (1, 2, 3):
        store.activate(add(release))
        if release != 2:
            store.prove()
    assert store.standing().before == ("scripted-1",)
    assert store.rollback() == "scripted-1"
    with pytest.raises(BundleError, match="no earlier model ran on this device"):
        store.rollback()


def test_activating_again_what_is_active_changes_nothing(store: BundleStore, add: Callable[[int], str]) -> None:
    store.activate(add(1))
    store.prove()
    store.activate("scripted-1")
    assert store.standing() == Standing(active="scripted-1", proven=True)


@pytest.mark.parametrize("name", ["scripted-7", "../scripted-1", "", ".partial-x", "state.json"])
def test_what_is_not_installed_can_not_be_activated(store: BundleStore, add: Callable[[int], str], name: str) -> None:
    add(1)
    with pytest.raises(BundleError, match="only scripted-1"):
        store.activate(name)


def test_a_new_one_that_fails_is_taken_back_and_a_proven_one_is_not(
    store: BundleStore, add: Callable[[int], str]
) -> None:
    store.activate(add(1))
    assert store.fail("no picture", for_good=True) is None, "there is nothing to go back to"
    store.prove()
    assert store.fail("died", for_good=True) is None, "it is proven"
    store.activate(add(2))
    assert [store.fail("died", for_good=False) for _ in range(MOST_FAILURES)] == [None] * (MOST_FAILURES - 1) + [
        "scripted-1"
    ]
    standing = store.standing()
    assert (standing.active, standing.proven, standing.before) == ("scripted-1", True, ())
    assert standing.refused is not None
    assert (standing.refused.bundle, standing.refused.reason) == ("scripted-2", "died")
    store.activate("scripted-2")
    assert store.standing().refused is None
    assert store.fail("self-test", for_good=True) == "scripted-1"


def test_what_runs_or_ran_before_is_not_removed(store: BundleStore, add: Callable[[int], str]) -> None:
    store.activate(add(1))
    store.prove()
    store.activate(add(2))
    add(3)
    for name in ("scripted-1", "scripted-2"):
        with pytest.raises(BundleError, match="it stays"):
            store.remove(name)
    store.remove("scripted-3")
    assert store.installed() == ["scripted-1", "scripted-2"]


def test_a_damaged_record_is_one_line(store: BundleStore, add: Callable[[int], str]) -> None:
    add(1)
    (store.folder / "state.json").write_text("{", encoding="utf-8")
    with pytest.raises(BundleError, match=r"state\.json: is damaged: remove it, and activate a bundle"):
        store.standing()


def _renew(folder: Path, bundle: Path, last_step: int) -> None:
    """Install, activate, go back and remove, and die at a step."""
    steps = 0

    def step(event: str, args: Any) -> None:
        nonlocal steps
        changes = event in ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "fcntl.flock")
        steps += changes or (event == "open" and str(folder) in str(args[0]))
        if steps == last_step:
            os._exit(9)

    store = BundleStore(folder)
    sys.addaudithook(step)
    name = store.install(bundle, [], lambda copy: None)
    store.activate(name)
    store.prove()
    store.rollback()
    store.remove(name)
    os._exit(0)


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder where syncing costs nothing; what a disk does with it is not what is tested."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder)


def test_a_power_cut_at_any_step_leaves_a_whole_bundle_active(in_memory: Path, tmp_path: Path) -> None:
    first, second = (make_bundle(tmp_path / f"{release}.loupe", release=release) for release in (1, 2))
    origin = in_memory / "origin"
    begun = BundleStore(origin)
    begun.activate(begun.install(first, [], unproven))
    begun.prove()
    active, step, code = set(), 0, 9
    while code == 9:
        step += 1
        folder = in_memory / "state"
        shutil.copytree(origin, folder)
        child = FORK.Process(target=_renew, args=(folder, second, step))
        child.start()
        child.join()
        code = child.exitcode or 0
        store = BundleStore(folder)
        standing = store.standing()
        assert standing.active is not None
        assert open_bundle(store.path(standing.active)).manifest.release in (1, 2)
        assert all(open_bundle(store.path(name)) for name in store.installed())
        active.add(standing.active)
        assert store.install(second, [], unproven) == "scripted-2"
        assert not list(store.folder.glob(".partial-*"))
        shutil.rmtree(folder)
    assert code == 0
    assert step > 50
    assert active == {"scripted-1", "scripted-2"}
