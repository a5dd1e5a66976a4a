from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sites import Plant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    plant = Plant(tmp_path / "state")
    yield plant
    plant.outbox.close()
