"""Which model runs: watched while it is new, taken back when it fails; with whole devices, a broker and kills."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from edge.bundle_store import BundleStore
from edge.clock import FakeClock
from edge.config import Config
from edge.errors import BundleError, ConfigError
from edge.mqtt.broker import Message
from edge.succession import PROVEN_S, Succession
from tests.appliance import Appliance
from tests.brokers import Ear, Mosquitto, publish
from tests.scripted import make_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def stock(folder: Path, *, proven: int = 1, releases: int = 2, **broken: Any) -> BundleStore:
    """Install releases, each active in its turn, the first ones proven; the last may be `broken`."""
    store = BundleStore(folder / "state")
    for release in range(1, releases + 1):
        options = broken if release == releases else {}
        bundle = make_bundle(folder / f"{release}.loupe", release=release, **options)
        store.activate(store.install(bundle, [], lambda copy: None))
        if release <= proven:
            store.prove()
    return store


def config(folder: Path, **model: Any) -> Config:
    told = {
        "device": "test",
        "model": model,
        "cameras": {"c": {"source": "synthetic:plain"}},
        "rules": {"spot": {}},
        "storage": {"state_dir": str(folder / "state"), "runtime_dir": str(folder / "run")},
    }
    return Config.model_validate(told)


def test_without_any_model_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no installed one is active: `edgeloupe bundle install BUNDLE`"):
        Succession(config(tmp_path), FakeClock())


def test_the_configuration_goes_before_the_store(tmp_path: Path) -> None:
    stock(tmp_path)
    named = config(tmp_path, bundle=tmp_path / "1.loupe")
    succession = Succession(named, FakeClock())
    assert succession.opening(named).model.bundle == tmp_path / "1.loupe"
    with pytest.raises(ConfigError, match="the configuration names the model"):
        succession.earlier(named)
    succession.failed("died", for_good=True)
    assert BundleStore(tmp_path / "state").standing().active == "scripted-2"


def test_a_model_is_proven_when_it_has_run_for_a_while(tmp_path: Path) -> None:
    store, clock = stock(tmp_path), FakeClock()
    succession = Succession(config(tmp_path), clock)
    assert succession.opening(config(tmp_path)).model.bundle == store.folder / "scripted-2"
    succession.ready()
    clock.advance(PROVEN_S - 1)
    succession.tend()
    assert not store.standing().proven
    clock.advance(2)
    succession.tend()
    assert store.standing().proven


def test_one_that_can_not_be_used_is_taken_back_at_once(tmp_path: Path) -> None:
    store = stock(tmp_path)
    succession = Succession(config(tmp_path), FakeClock())
    succession.opening(config(tmp_path))
    succession.failed("self-test", for_good=True)
    assert succession.opening(config(tmp_path)).model.bundle == store.folder / "scripted-1"
    assert succession.told() == {
        "next_model": None,
        "refused_model": {"bundle": "scripted-2", "reason": "self-test"},
    }
    succession.failed("and what ran before is not blamed", for_good=True)
    assert store.standing().active == "scripted-1"


def test_one_that_brings_down_the_whole_device_is_taken_back(tmp_path: Path) -> None:
    store = stock(tmp_path)
    for _ in range(3):
        assert store.standing().active == "scripted-2"
        Succession(config(tmp_path), FakeClock()).opening(config(tmp_path))
    Succession(config(tmp_path), FakeClock())
    assert store.standing().active == "scripted-1"


def test_what_is_activated_beside_a_running_device_waits_to_be_loaded(tmp_path: Path) -> None:
    store = stock(tmp_path, releases=1)
    succession = Succession(config(tmp_path), FakeClock())
    succession.opening(config(tmp_path))
    store.activate(store.install(make_bundle(tmp_path / "2.loupe", release=2), [], lambda copy: None))
    assert succession.told()["next_model"] == {"name": "scripted", "release": 2}
    succession.failed("which is not the new one's fault", for_good=True)
    assert store.standing().active == "scripted-2"
    succession.opening(config(tmp_path))
    assert succession.told()["next_model"] is None


def test_a_store_that_can_not_be_read_stops_nothing_that_runs(tmp_path: Path) -> None:
    store = stock(tmp_path, releases=1)
    succession = Succession(config(tmp_path), FakeClock())
    first = succession.opening(config(tmp_path))
    (store.folder / "state.json").write_text("{", encoding="utf-8")
    assert succession.opening(config(tmp_path)) == first
    succession.ready()
    succession.failed("died")
    assert succession.told() == {"next_model": None, "refused_model": None}
    with pytest.raises(BundleError, match="is damaged"):
        Succession(config(tmp_path), FakeClock())


class Plant:
    """A device that runs what its store says, behind a real broker."""

    def __init__(self, folder: Path, port: int, **more: Any) -> None:
        mqtt = {"port": port, "open_commands": ["rollback", "reload_model", "prepare_recipe"]}
        self.port = port
        self.device = Appliance(folder, None, "synthetic:red", fps=20, loop=True, mqtt=mqtt, **more)
        self.runs(None)

    def tell(self, verb: str, correlation: str, **fields: str) -> dict[str, Any]:
        topic = f"edgeloupe/test/reply/{correlation}"
        with Ear(self.port, topic) as ear:
            told = json.dumps({"correlation": correlation, **fields}).encode()
            publish(self.port, Message(topic=f"edgeloupe/test/cmd/{verb}", payload=told))
            ear.listen(lambda: ear.payloads(topic), f"for {verb}")
            reply: dict[str, Any] = json.loads(ear.payloads(topic)[0])
        return reply

    def runs(self, release: int | None) -> None:
        """Wait until results come from a release."""
        topic = "edgeloupe/test/c/result"
        with Ear(self.port, topic) as ear:
            ear.listen(
                lambda: any(release in (None, json.loads(one)["model"]["release"]) for one in ear.payloads(topic)),
                f"for release {release}",
            )

    def worker(self) -> int:
        """Wait for a worker that inspects, and give its number."""
        self.device.wait_for(lambda: self.device.health()["processes"].get("worker") and self.device.health()["model"])
        pid: int = self.device.health()["processes"]["worker"]["pid"]
        return pid


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def plants(tmp_path: Path, broker: Mosquitto) -> Iterator[list[Plant]]:
    made: list[Plant] = []
    yield made
    for plant in made:
        plant.device.process.kill()
        plant.device.process.wait()


def test_a_model_is_rolled_back_by_command_and_stays_so(tmp_path: Path, broker: Mosquitto, plants: list[Plant]) -> None:
    stock(tmp_path)
    plant = Plant(tmp_path, broker.port)
    plants.append(plant)
    plant.runs(2)
    told = plant.tell("rollback", "back")
    assert (told["error"], told["bundle"]) == (None, "scripted-1")
    plant.runs(1)
    assert plant.tell("rollback", "further")["error"].startswith("no earlier model ran on this device")
    plant.device.kill_and_restart()
    plant.runs(1)


def test_an_earlier_model_that_is_damaged_is_not_gone_back_to(
    tmp_path: Path, broker: Mosquitto, plants: list[Plant]
) -> None:
    store = stock(tmp_path)
    plant = Plant(tmp_path, broker.port)
    plants.append(plant)
    (store.folder / "scripted-1" / "model.txt").write_text("torn", encoding="utf-8")
    assert "model.txt" in plant.tell("rollback", "back")["error"]
    assert store.standing().active == "scripted-2"
    plant.runs(2)


def test_a_new_model_that_fails_is_taken_back_by_itself(tmp_path: Path, broker: Mosquitto, plants: list[Plant]) -> None:
    store = stock(tmp_path, releases=1)
    plant = Plant(tmp_path, broker.port)
    plants.append(plant)
    plant.runs(1)
    worse = make_bundle(tmp_path / "2.loupe", release=2, sound=False)
    store.activate(store.install(worse, [], lambda copy: None))
    plant.device.wait_for(lambda: plant.device.health()["next_model"] == {"name": "scripted", "release": 2})
    assert plant.tell("reload_model", "load")["error"] is None
    plant.device.wait_for(lambda: plant.device.health()["refused_model"])
    assert "self-test on probe/1.png" in plant.device.health()["refused_model"]["reason"]
    plant.runs(1)


def test_a_new_model_whose_process_dies_again_and_again_is_taken_back(
    tmp_path: Path, broker: Mosquitto, plants: list[Plant]
) -> None:
    store = stock(tmp_path)
    plant = Plant(tmp_path, broker.port)
    plants.append(plant)
    for _ in range(3):
        assert store.standing().active == "scripted-2"
        pid = plant.worker()
        os.kill(pid, signal.SIGKILL)
        plant.device.wait_for(
            lambda pid=pid: plant.device.health()["processes"].get("worker", {}).get("pid") not in (None, pid)  # type: ignore[misc]
        )
    plant.runs(1)
    assert plant.device.health()["refused_model"]["bundle"] == "scripted-2"


def test_a_recipe_may_have_a_model_of_its_own_and_no_picture_is_judged_by_one_of_each(
    tmp_path: Path, broker: Mosquitto, plants: list[Plant]
) -> None:
    stock(tmp_path, releases=1)
    holes = make_bundle(tmp_path / "5.loupe", release=5, spot="hole")
    unsound = make_bundle(tmp_path / "6.loupe", release=6, sound=False)
    recipes = {
        "a": {},
        "b": {"bundle": str(holes), "rules": {"hole": {}}},
        "c": {"bundle": str(unsound)},
        "d": {"bundle": str(make_bundle(tmp_path / "7.loupe", release=7, spot="hole"))},
    }
    plant = Plant(tmp_path, broker.port, recipes=recipes)
    plants.append(plant)
    topic = "edgeloupe/test/c/result"
    with Ear(broker.port, topic, name="witness") as ear:
        for wrong, why in (("c", "self-test on probe"), ("d", "rules.spot: the model has no such class")):
            assert why in plant.tell("prepare_recipe", wrong, recipe_id=wrong)["error"]
        assert plant.tell("prepare_recipe", "to-b", recipe_id="b")["recipe_id"] == "b"
        plant.runs(5)
        plant.device.kill_and_restart()
        plant.runs(5)
        assert plant.tell("rollback", "no")["error"].startswith("the configuration names the model")
        assert plant.tell("prepare_recipe", "to-a", recipe_id="a")["error"] is None
        plant.runs(1)
        ear.listen(lambda: len(judged(ear, topic)) > 1)
        ear.listen(lambda: json.loads(ear.payloads(topic)[-1])["recipe_id"] == "a")
    assert judged(ear, topic) == {("a", 1, "spot"), ("b", 5, "hole")}


def judged(ear: Ear, topic: str) -> set[tuple[str, int, str]]:
    """Say by which recipe, which release and a rule for which class pictures were judged."""
    results = [json.loads(payload) for payload in ear.payloads(topic)]
    return {(one["recipe_id"], one["model"]["release"], *one["thresholds"]) for one in results}
