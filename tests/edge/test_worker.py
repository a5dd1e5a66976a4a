"""The worker: cameras by turns, verdicts in order, nothing held on to."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pytest

from edge import payload
from edge.bell import Bell
from edge.bundle import open_bundle
from edge.camera_config import CameraConfig
from edge.capture.capture import frame_slot
from edge.capture.clip import CLIP_CAPACITY, clip_slot
from edge.clock import SystemClock
from edge.config import Config, ModelConfig, RecipeConfig, RuleConfig, StorageConfig
from edge.evidence.store import EvidenceStore
from edge.evidence.writer import EvidenceWriter
from edge.lanes import Lanes
from edge.picture import read_picture
from edge.pictures.preview import TAKEN_CAPACITY, taken_slot, view_slot
from edge.recipe import first_recipe
from edge.runtimes import scripted
from edge.segment import Segmenter
from edge.slot import Slot
from edge.thresholds import InForce, Thresholds
from edge.worker import Station, Taken
from tests.brokers import until
from tests.soak import frames

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.capture.burst import Seen
    from edge.mask import Plane
    from edge.picture import Picture

PICTURE = np.full((120, 160, 3), 128, np.uint8)
RED = np.full((120, 160, 3), (0, 0, 255), np.uint8)


class Network:
    """The scripted network, and something that happens meanwhile."""

    def __init__(self, path: Path, meanwhile: Callable[[Picture], object]) -> None:
        self._scripted = scripted.create(path, 1, 1)
        self._meanwhile = meanwhile

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return

    def infer(self, picture: Picture) -> tuple[Plane, Plane]:
        self._meanwhile(picture)
        return self._scripted.infer(picture)


class Core:
    """Hears what the worker tells."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def send(self, message: dict[str, Any]) -> None:
        self.told.append(message)

    def frames(self, camera: str) -> list[int]:
        return [message["result"]["frame"]["id"] for message in self.told if message["camera"] == camera]


class Place:
    """Cameras with their slots, and the stations over them."""

    def __init__(
        self,
        folder: Path,
        bundle: Path,
        meanwhile: Callable[[Picture], object],
        recipes: Mapping[str, RecipeConfig] = MappingProxyType({}),
        **cameras: Any,
    ) -> None:
        self.config = Config(
            recipes=dict(recipes),
            device="d",
            model=ModelConfig(bundle=bundle),
            cameras={name: CameraConfig(source="file:nowhere", **options) for name, options in cameras.items()},
            rules={"spot": RuleConfig()},
            storage=StorageConfig(state_dir=folder, runtime_dir=folder),
        )
        self.slots = {name: Slot.create(frame_slot(folder, name), 1 << 20) for name in cameras}
        for name in cameras:
            Slot.create(view_slot(folder, name), 1 << 20).close()
            Slot.create(taken_slot(folder, name), TAKEN_CAPACITY).close()
            Slot.create(clip_slot(folder, name), CLIP_CAPACITY).close()
        context = payload.Context.of(open_bundle(bundle), None, device="d", rules=self.config.rules)
        self.writer = EvidenceWriter(EvidenceStore(folder / "evidence"), ("picture",), show=lambda *_: None)
        context = replace(context, recipe=first_recipe(self.config))
        segmenter = Segmenter(Network(bundle, meanwhile), width=160, height=120)
        self.stations = {
            name: Station(
                name=name,
                config=self.config,
                context=context,
                colours=[],
                segmenter=segmenter,
                clock=SystemClock(),
                evidence=self.writer,
            )
            for name in cameras
        }
        self.core = Core()

    def lanes(self, count: int) -> Lanes[Taken, Seen]:
        priorities = {name: camera.priority for name, camera in self.config.cameras.items()}
        return Lanes(self.stations, priorities, count, self.core, Bell(self.config.storage.runtime_dir / "bell"))

    def show(self, camera: str, picture: Picture = PICTURE) -> None:
        clock, slot = SystemClock(), self.slots[camera]
        meta = {"id": slot.latest + 1, "captured_at": clock.wall_s(), "captured_mono_s": clock.monotonic_s()}
        slot.write({**meta, "simulated": True, "faults": []}, {"picture": picture})


def nothing(picture: Picture) -> None:
    del picture


def test_every_camera_with_a_picture_gets_its_turn(tmp_path: Path, scripted_bundle: Path) -> None:
    place = Place(tmp_path, scripted_bundle, nothing, a={}, b={"deadline_s": 0.001}, c={"priority": 5})
    lanes = place.lanes(1)
    for _ in range(30):
        for camera in place.slots:
            if place.slots[camera].consumed == place.slots[camera].latest:
                place.show(camera)
        assert lanes.turn()
    assert len(place.core.told) == 30
    assert all(place.core.frames(camera) for camera in place.slots)


def test_an_alert_is_told_before_its_picture_is_written_and_names_it(tmp_path: Path, scripted_bundle: Path) -> None:
    place = Place(tmp_path, scripted_bundle, nothing, a={"alert_per": "part"})
    place.show("a", RED)
    assert place.lanes(1).turn()
    new, _ = place.core.told[0]["alerts"]
    path = tmp_path / "evidence" / new["evidence"]
    assert path.name == f"{new['result_id']}~new~spot.jpg"
    assert not path.exists()
    with place.writer:
        until(path.is_file)
    assert np.abs(read_picture(path).astype(int) - RED).mean() < 3


def test_without_a_picture_there_is_nothing_to_do(tmp_path: Path, scripted_bundle: Path) -> None:
    place = Place(tmp_path, scripted_bundle, nothing, a={})
    lanes = place.lanes(2)
    assert not lanes.turn()
    lanes.rest(0.001)
    assert place.core.told == []


def test_pictures_of_one_camera_are_told_in_order_though_the_second_is_done_first(
    tmp_path: Path, scripted_bundle: Path
) -> None:
    second_done = threading.Event()

    def meanwhile(picture: Picture) -> None:
        if picture[0, 0, 0] == 1:
            assert second_done.wait(30)
        if picture[0, 0, 0] == 2:
            second_done.set()

    place = Place(tmp_path, scripted_bundle, meanwhile, a={})
    lanes = place.lanes(2)
    for value in (1, 2):
        place.show("a", np.full_like(PICTURE, value))
        assert lanes.turn()
    while len(place.core.told) < 2:
        lanes.rest(0.001)
        lanes.turn()
    assert place.core.frames("a") == [1, 2]


def test_what_was_begun_is_told_before_the_worker_ends(tmp_path: Path, scripted_bundle: Path) -> None:
    begun = threading.Event()

    def meanwhile(picture: Picture) -> None:
        del picture
        assert begun.wait(30)

    place = Place(tmp_path, scripted_bundle, meanwhile, a={}, b={})
    lanes = place.lanes(2)
    for camera in ("a", "b"):
        place.show(camera)
        assert lanes.turn()
    threading.Timer(0.05, begun.set).start()
    lanes.finish()
    assert [place.core.frames(camera) for camera in ("a", "b")] == [[1], [1]]


def test_no_more_pictures_are_begun_than_there_are_lanes(tmp_path: Path, scripted_bundle: Path) -> None:
    gate, most, now, lock = threading.Event(), 0, 0, threading.Lock()

    def meanwhile(picture: Picture) -> None:
        nonlocal most, now
        del picture
        with lock:
            now += 1
            most = max(most, now)
        assert gate.wait(30)
        with lock:
            now -= 1

    place = Place(tmp_path, scripted_bundle, meanwhile, a={}, b={}, c={})
    lanes = place.lanes(2)
    for camera in place.slots:
        place.show(camera)
    assert [lanes.turn() for _ in range(4)] == [True, True, False, False]
    gate.set()
    while len(place.core.told) < 3:
        lanes.rest(0.001)
        lanes.turn()
    assert most == 2


def test_a_network_slower_than_the_slot_lasts_still_gives_verdicts(tmp_path: Path, scripted_bundle: Path) -> None:
    burst = 4

    def meanwhile(picture: Picture) -> None:
        del picture
        for _ in range(burst):  # the camera comes round
            place.show("a")

    place = Place(tmp_path, scripted_bundle, meanwhile, a={})
    place.show("a")
    for _ in range(3):
        assert place.stations["a"].take(place.core)
    assert place.core.frames("a") == [5, 9]
    assert place.core.told[-1]["dropped"] == 7  # the first was written over, the others were never taken
    burst = 1  # the slot lasts again
    for _ in range(3):
        assert place.stations["a"].take(place.core)
    assert place.core.frames("a") == [5, 9, 13, 14, 15]


RED = PICTURE.copy()
RED[40:80, 60:100] = (0, 0, 255)
RECIPES = {
    "strict": RecipeConfig(),
    "lenient": RecipeConfig.model_validate(
        {
            "rules": {"spot": {"zones": {"middle": {"ignore": True}}}},
            "cameras": {"a": {"zones": {"middle": {"outline": [40, 20, 80, 80]}}}},
        }
    ),
}


@pytest.mark.parametrize("lanes", [1, 2])
def test_each_picture_is_judged_by_one_recipe_and_says_which_and_none_is_dropped(
    tmp_path: Path, scripted_bundle: Path, lanes: int
) -> None:
    place = Place(tmp_path, scripted_bundle, nothing, RECIPES, a={})
    core = Thresholds(tmp_path)
    core.create()
    running = place.lanes(lanes)
    rules = {name: told.rules or place.config.rules for name, told in RECIPES.items()}
    asked = []
    for number in range(24):
        name = ("strict", "lenient")[number // 3 % 2]
        if number % 3 == 0:
            core.tell(InForce(name, rules[name]))
        asked.append(name)
        place.show("a", RED)
        assert running.turn()
        while running.busy:
            running.rest(0.001)
            running.turn()
    results = [message["result"] for message in place.core.told]
    assert place.core.frames("a") == list(range(1, 25))
    assert [result["recipe_id"] for result in results] == asked
    for result in results:
        strict = result["recipe_id"] == "strict"
        assert result["result_evaluation"] == ("NotOK" if strict else "OK")
        assert [region["zones"] for region in result["regions"]] == [[] if strict else ["middle"]]
        assert ("zones" in result["thresholds"]["spot"]) is not strict
    assert place.core.told[-1]["dropped"] == 0


def test_a_picture_that_is_being_looked_at_stays_with_the_recipe_it_began_with(
    tmp_path: Path, scripted_bundle: Path
) -> None:
    core = Thresholds(tmp_path)
    core.create()
    lenient = RECIPES["lenient"].rules
    assert lenient is not None

    def meanwhile(picture: Picture) -> None:
        del picture
        core.tell(InForce("lenient", lenient))

    place = Place(tmp_path, scripted_bundle, meanwhile, RECIPES, a={})
    for _ in range(2):
        place.show("a", RED)
        assert place.stations["a"].take(place.core)
    results = [message["result"] for message in place.core.told]
    told = [(result["recipe_id"], result["result_evaluation"]) for result in results]
    assert told == [("strict", "NotOK"), ("lenient", "OK")]


def test_a_recipe_of_another_model_is_not_for_this_process(tmp_path: Path, scripted_bundle: Path) -> None:
    foreign = RecipeConfig.model_validate({"bundle": "another.loupe"})
    place = Place(tmp_path, scripted_bundle, nothing, {**RECIPES, "foreign": foreign}, a={})
    core = Thresholds(tmp_path)
    core.create()
    core.tell(InForce("foreign", place.config.rules))
    place.show("a", RED)
    assert place.stations["a"].take(place.core)
    assert place.core.told[0]["result"]["recipe_id"] == "strict"


def test_frames_leave_no_memory_descriptors_or_threads_behind(tmp_path: Path) -> None:
    figures = frames.run(4000, tmp_path)
    assert figures.clean, figures


@pytest.mark.parametrize("lanes", [1, 3])
def test_nothing_is_skipped_of_a_source_that_waits(tmp_path: Path, lanes: int) -> None:
    figures = frames.run(300, tmp_path, lanes=lanes)
    assert figures.inspected == 300
