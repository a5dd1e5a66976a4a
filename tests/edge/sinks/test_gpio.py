from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from gpiod.line import Value

from tests.brokers import until
from tests.sites import CLOCK, alerts, result
from tests.stand_ins.gpio import Chip, install_gpio

if TYPE_CHECKING:
    from tests.sites import Plant

NOW = {"id": 7, "age_s": 0.0}


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Chip:
    return install_gpio(monkeypatch)


def settings(reject: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "gpio", "line": 17, "reject": {"camera": "belt", "pulse_s": 0.02, **reject}, **more}


def test_a_bad_part_pulses_the_line_once_and_a_good_one_does_not(plant: Plant, chip: Chip) -> None:
    with plant.sink(settings({"distance_mm": 10, "speed_mm_s": 200})) as sink:
        until(lambda: sink.status()["connected"])
        sink.pass_on("belt", result("OK", frame=NOW))
        sink.pass_on("belt", result("NotOK", frame=NOW))
        until(lambda: len(chip.history) == 2)
    assert chip.history[:2] == [(17, Value.ACTIVE), (17, Value.INACTIVE)]


def test_with_an_encoder_the_pulse_comes_after_so_many_edges(plant: Plant, chip: Chip) -> None:
    with plant.sink(settings({"distance_mm": 10, "mm_per_count": 1}, encoder_line=18)) as sink:
        until(lambda: sink.status()["connected"])
        chip.edge(18, CLOCK.monotonic_s() - 1)
        until(lambda: not chip.edges)
        sink.pass_on("belt", result("NotOK", frame=NOW))
        for _ in range(9):
            chip.edge(18, CLOCK.monotonic_s())
        until(lambda: not chip.edges)
        assert chip.history == []  # the tenth edge; the part was seen between the first and the second
        for _ in range(2):
            chip.edge(18, CLOCK.monotonic_s())
        until(lambda: (17, Value.ACTIVE) in chip.history)


def test_the_line_is_left_off_and_free(plant: Plant, chip: Chip) -> None:
    with plant.sink(settings({"distance_mm": 3, "speed_mm_s": 1, "pulse_s": 10})) as sink:
        until(lambda: sink.status()["connected"])
        sink.pass_on("belt", result("NotOK", frame=NOW))
        until(lambda: chip.levels[17] is Value.ACTIVE)
    assert chip.levels[17] is Value.INACTIVE
    assert chip.taken == set()


def test_a_line_that_is_busy_or_a_chip_that_is_pulled_out_is_told_and_tried_again(plant: Plant, chip: Chip) -> None:
    chip.taken.add(17)
    with plant.sink(settings({"distance_mm": 1, "speed_mm_s": 1000})) as sink:
        until(lambda: "busy" in sink.status()["detail"])
        chip.taken.clear()
        until(lambda: sink.status()["connected"])
        chip.unplugged = True
        sink.pass_on("belt", result("NotOK", frame=NOW))
        until(lambda: not sink.status()["connected"])
        chip.unplugged = False
        until(lambda: sink.status()["connected"])


def test_alerts_are_not_kept_waiting_for_it(plant: Plant, chip: Chip) -> None:
    with plant.sink(settings({"distance_mm": 1, "speed_mm_s": 1})) as sink:
        plant.commit(*alerts(3))
        sink.wake()
        until(lambda: sink.status()["published"] == 3)
