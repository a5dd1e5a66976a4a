"""People are coarsened before a picture is kept or sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edge.clock import SystemClock
from edge.config import Config
from edge.errors import ConfigError
from edge.evidence.store import EvidenceStore
from edge.evidence_config import PeopleConfig
from edge.mask import Mask
from edge.mqtt.command import Order
from edge.orders import Orders
from edge.people import hide, open_people
from edge.picture import read_picture
from edge.succession import Succession
from tests import forms
from tests.brokers import until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.picture import Picture
    from tests.appliance import Appliance

FACE = slice(40, 80), slice(60, 100)


def somebody() -> Picture:
    """Draw fine red stripes, which the scripted network takes for a spot."""
    picture = np.full((120, 160, 3), 128, np.uint8)
    picture[FACE] = (0, 0, 255)
    picture[40:80:4, 60:100] = (0, 0, 150)
    picture[41:80:4, 60:100] = (0, 0, 150)
    return picture


def detail(picture: Picture) -> float:
    """Say how much rows differ from the next within the face."""
    return float(np.abs(np.diff(picture[45:75, 65:95, 2].astype(int), axis=0)).mean())


def test_what_people_look_like_is_gone_and_the_rest_is_as_it_was(scripted_bundle: Path) -> None:
    picture = somebody()
    with open_people(PeopleConfig(bundle=scripted_bundle, classes=("spot",))) as hides:
        hidden = hides(picture)
    assert isinstance(hidden, np.ndarray)
    assert detail(picture) > 50
    assert detail(hidden) < 10
    assert np.array_equal(hidden[:30], picture[:30])
    assert np.array_equal(picture, somebody())


def test_a_picture_without_anybody_is_kept_as_it_came() -> None:
    picture = forms.reduced(np.full((96, 128, 3), 90, np.uint8), 32, 24)
    nobody = np.zeros((24, 32), np.uint8)
    mask = Mask(classes=nobody, scores=nobody, frame_width=128, frame_height=96)
    assert hide(picture, mask, {1}, 0.02) is picture


def test_more_than_the_network_saw_is_hidden() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    classes = np.zeros((100, 100), np.uint8)
    classes[40:60, 40:60] = 3
    mask = Mask(classes=classes, scores=classes, frame_width=200, frame_height=200)
    hidden = hide(picture, mask, {3, 7}, 0.1)
    assert isinstance(hidden, np.ndarray)
    changed = cv2.boundingRect((hidden != picture).any(axis=2).astype(np.uint8))
    assert changed == (60, 60, 80, 80)


def test_a_class_that_the_model_does_not_know_is_told(scripted_bundle: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"no class person, only good, spot"),
        open_people(PeopleConfig(bundle=scripted_bundle)),
    ):
        pass


def settings(folder: Path, bundle: Path, **camera: Any) -> dict[str, Any]:
    return {
        "device": "d",
        "model": {"bundle": bundle},
        "rules": {"spot": {}},
        "cameras": {"c": {"source": "file:x", **camera}},
        "storage": {"runtime_dir": folder, "blur_people": {"bundle": bundle}},
    }


def test_clips_would_show_people(scripted_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cameras\.c\.clip would show people"):
        Config.model_validate(settings(tmp_path, scripted_bundle, clip={"before_s": 2}))


class Asker:
    """Somebody who wants a snapshot."""

    def __init__(self) -> None:
        self.answers: list[Mapping[str, Any]] = []

    def orders(self) -> list[Order]:
        fields: dict[str, Any] = {"verb": "snapshot", "who": "anna", "camera": "c", "fields": {}}
        return [Order(**fields, correlation="1", reply_topic=None, data=None)]

    def answer(self, order: Order, told: Mapping[str, Any], /) -> None:
        self.answers.append(told)

    def set_recipe(self, name: str, /) -> None:
        raise AssertionError(f"{name}: this device has no recipes")


def test_a_snapshot_would_show_people(scripted_bundle: Path, tmp_path: Path) -> None:
    config, asker = Config.model_validate(settings(tmp_path, scripted_bundle)), Asker()
    clock = SystemClock()
    Orders(config, {}, EvidenceStore(tmp_path / "evidence"), asker, Succession(config, clock), clock).tend()
    assert "would show people" in asker.answers[0]["error"]


def test_evidence_of_a_running_device_shows_nobody(
    start: Callable[..., Appliance], scripted_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "parts").mkdir()
    cv2.imwrite(str(tmp_path / "parts" / "1.png"), somebody())
    people = {"bundle": str(scripted_bundle), "classes": ["spot"]}
    storage = {"blur_people": people, "evidence": ["picture", "overlay"]}
    appliance = start(f"file:{tmp_path / 'parts'}", alert_per="part", storage=storage)
    appliance.wait_for(appliance.alerts)
    alert = appliance.alerts()[0]
    for name in ("evidence", "overlay"):
        path = tmp_path / "state" / "evidence" / alert[name]
        until(path.is_file, json.dumps(appliance.health().get("storage")))
        assert detail(read_picture(path)) < 10
    assert appliance.stop() == 0
