"""What was measured on a device is kept, heeded and, where it does not fit, ignored."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import tuning
from edge.bundle import open_bundle
from edge.config import ModelConfig
from edge.machine import fast_cores
from edge.tuning import Key, Measured, Plan, Tuning

if TYPE_CHECKING:
    from pathlib import Path

    from edge.bundle import Bundle

TWO_CORES = [
    ({"threads": 1, "lanes": 1}, 10.0, 100.0),
    ({"threads": 2, "lanes": 1}, 6.0, 166.0),
    ({"threads": 1, "lanes": 2}, 10.0, 190.0),
    ({"threads": 2, "lanes": 2}, 6.1, 175.0),
]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGELOUPE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def bundle(scripted_bundle: Path) -> Bundle:
    return open_bundle(scripted_bundle)


def measured(bundle: Bundle) -> Tuning:
    figures = (Measured(plan=Plan(**plan), latency_ms=latency, per_second=rate) for plan, latency, rate in TWO_CORES)
    return Tuning(key=Key.of(bundle, "cpu"), measured=tuple(figures))


def test_one_camera_gets_the_least_latency_and_several_the_most_inferences(bundle: Bundle) -> None:
    assert measured(bundle).best(1) == Plan(threads=2, lanes=2)
    assert measured(bundle).best(2) == measured(bundle).best(8) == Plan(threads=1, lanes=2)


def test_no_more_lanes_are_taken_than_cameras_can_keep_busy(bundle: Bundle) -> None:
    figures = [Measured(plan=Plan(threads=1, lanes=n), latency_ms=10, per_second=100 * n) for n in (1, 2, 4, 8)]
    tuned = Tuning(key=Key.of(bundle, "cpu"), measured=tuple(figures))
    assert [tuned.best(cameras).lanes for cameras in (1, 2, 3, 4)] == [2, 4, 4, 8]


def test_what_was_kept_is_heeded_at_the_next_start(bundle: Bundle, scripted_bundle: Path) -> None:
    config = ModelConfig(bundle=scripted_bundle)
    assert tuning.plan(config, bundle, "cpu", cameras=1) == Plan()
    tuning.save(measured(bundle))
    assert tuning.plan(config, bundle, "cpu", cameras=1) == Plan(threads=2, lanes=2)
    assert tuning.plan(config, bundle, "cpu", cameras=4) == Plan(threads=1, lanes=2)


def test_where_nobody_measured_openvino_has_a_second_lane(bundle: Bundle, scripted_bundle: Path) -> None:
    targets = {"cpu": bundle.manifest.targets["cpu"].model_copy(update={"runtime": "openvino"})}
    other = dataclasses.replace(bundle, manifest=bundle.manifest.model_copy(update={"targets": targets}))
    config = ModelConfig(bundle=scripted_bundle)
    assert tuning.plan(config, other, "cpu", cameras=1) == Plan(lanes=min(2, len(os.sched_getaffinity(0))))
    assert tuning.plan(config, bundle, "cpu", cameras=1) == Plan()


def test_what_is_configured_outdoes_what_was_measured(bundle: Bundle, scripted_bundle: Path) -> None:
    tuning.save(measured(bundle))
    config = ModelConfig(bundle=scripted_bundle, threads=3)
    assert tuning.plan(config, bundle, "cpu", cameras=4) == Plan(threads=3, lanes=1)


@pytest.mark.parametrize("key", ["model", "runtime", "version", "chip"])
def test_figures_of_another_model_runtime_or_chip_are_ignored(bundle: Bundle, key: str) -> None:
    path = tuning.save(measured(bundle))
    told = json.loads(path.read_text(encoding="utf-8"))
    told["key"][key] = "another"
    path.write_text(json.dumps(told), encoding="utf-8")
    assert tuning.load(bundle, "cpu") is None


@pytest.mark.parametrize("content", [b"", b"{", b"\x00\xff", b"[]", b'{"measured": 3}'])
def test_a_damaged_file_is_one_line_in_the_log_and_ignored(
    bundle: Bundle, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    tuning.save(measured(bundle)).write_bytes(content)
    assert tuning.load(bundle, "cpu") is None
    (line,) = caplog.messages
    assert "is damaged, and ignored: run `edgeloupe tune` again" in line
    assert "\n" not in line


@given(st.integers(1, 64), st.integers(0, 64))
def test_no_plan_takes_more_than_twice_the_cores_there_are(cores: int, fast: int) -> None:
    found = tuning.plans("openvino", cores, range(min(fast, cores)))
    assert all(1 <= plan.threads * plan.lanes <= 2 * (len(plan.cores) or cores) for plan in found)
    assert {(1, 1), (cores, 1), (1, cores)} <= {(plan.threads, plan.lanes) for plan in found if not plan.cores}
    assert any(plan.cores for plan in found) == (0 < fast < cores)


def test_measuring_takes_place_elsewhere_and_leaves_this_process_its_cores(bundle: Bundle) -> None:
    before = os.sched_getaffinity(0)
    figures = tuning.tune(bundle, "cpu", 0.05, lambda ways: ways)
    assert [one.plan for one in figures.measured] == [Plan()]  # nothing to choose for a network that is none
    assert figures.measured[0].per_second > 0
    assert os.sched_getaffinity(0) == before


def test_cores_that_are_much_slower_are_told_apart(tmp_path: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))
    for core in cores:
        (tmp_path / f"cpu{core}").mkdir()
        speed = 1024 if core == cores[-1] else 400
        (tmp_path / f"cpu{core}" / "cpu_capacity").write_text(f"{speed}\n", encoding="ascii")
    assert fast_cores(tmp_path) == (cores[-1],)
    assert fast_cores(tmp_path / "nothing") == tuple(cores)
