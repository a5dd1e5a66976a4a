"""Fixtures for all tests: bundles whose network is scripted, so that pictures decide what is found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.appliance import Appliance
from tests.scripted import make_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

hypothesis.settings.register_profile("edgeloupe", deadline=None)  # how quick things are is for the benchmarks to say
hypothesis.settings.load_profile("edgeloupe")

SHARED = Path(__file__).parents[2] / "shared" / "data"
"""Larger real data beside the repository; tests that need it skip by name where it is absent."""


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Networks as small as those of tests lose more by threads than they gain, most of all where other work runs."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def coffee() -> Path:
    """The full coffee set."""
    folder = SHARED / "crops" / "coffee"
    if not folder.is_dir():
        pytest.skip("needs the full coffee leaf set in ../shared/data/crops/coffee")
    return folder


@pytest.fixture
def annotation_files() -> Path:
    """Real annotation files, by format."""
    folder = SHARED / "annotations"
    if not folder.is_dir():
        pytest.skip("needs the real annotation files in ../shared/data/annotations")
    return folder


@pytest.fixture(scope="session")
def scripted_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed bundle, as a folder, whose network finds red (class `spot`) at half of 160x120."""
    return make_bundle(tmp_path_factory.mktemp("scripted.loupe"))


@pytest.fixture
def start(tmp_path: Path, scripted_bundle: Path) -> Iterator[Callable[..., Appliance]]:
    """Starts daemons on folders of this test's own; what still runs at its end is killed."""
    running: list[Appliance] = []

    def begin(source: str, **options: object) -> Appliance:
        running.append(Appliance(tmp_path, scripted_bundle, source, **options))
        return running[-1]

    yield begin
    for appliance in running:
        appliance.process.kill()
        appliance.process.wait()
