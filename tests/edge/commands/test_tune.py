"""`edgeloupe tune` measures, prints a table, and keeps the figures."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

import pytest

from edge.commands import tune
from edge.errors import BundleError, ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGELOUPE_CACHE", str(tmp_path / "cache"))


def run(*given: str) -> int:
    parser = argparse.ArgumentParser()
    tune.add_arguments(parser)
    return tune.run(parser.parse_args(given))


def test_the_best_way_is_marked_and_kept(
    scripted_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(scripted_bundle), "--seconds", "0.05") == 0
    head, titles, row, kept = capsys.readouterr().out.splitlines()
    assert head.startswith("scripted on scripted")
    assert titles.split() == ["threads", "lanes", "cores", "ms", "per", "second", "best", "for"]
    assert row.endswith("one camera and several")
    (file,) = (tmp_path / "cache" / "tuning").iterdir()
    assert kept == f"kept in {file}"


def test_json_is_one_object(scripted_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(scripted_bundle), "--seconds", "0.05", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["key"]["runtime"] == "scripted"
    assert told["measured"][0]["per_second"] > 0


@pytest.mark.parametrize("seconds", ["0", "-1", "nan"])
def test_no_time_is_bad_use(scripted_bundle: Path, seconds: str) -> None:
    with pytest.raises(ConfigError, match="must be more than 0"):
        run(str(scripted_bundle), "--seconds", seconds)


def test_a_target_that_the_bundle_has_not_is_bad_use(scripted_bundle: Path) -> None:
    with pytest.raises(BundleError, match="has no target coral"):
        run(str(scripted_bundle), "--target", "coral")
