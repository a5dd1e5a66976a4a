"""`edgeloupe bundle`: what a person sees of the store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from edge import cli
from edge.bundle_store import BundleStore
from tests.scripted import make_bundle

if TYPE_CHECKING:
    from pathlib import Path


class Device:
    """A device's configuration, and `edgeloupe bundle` upon it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], **more: Any) -> None:
        self.folder, self._capsys = folder, capsys
        self._config = folder / "edgeloupe.yaml"
        storage = {"state_dir": str(folder / "state"), "runtime_dir": str(folder / "run")}
        told = {"device": "d", "cameras": {"c": {"source": "synthetic:plain"}}, "rules": {"spot": {}}, "model": {}}
        self._config.write_text(yaml.safe_dump({**told, "storage": storage, **more}), encoding="utf-8")

    def bundle(self, *words: str | Path) -> tuple[int, str]:
        code = cli.main(["bundle", *map(str, words), "-c", str(self._config)])
        told = self._capsys.readouterr()
        return code, (told.out + told.err).strip()


@pytest.fixture
def device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Device:
    return Device(tmp_path, capsys)


def test_a_bundle_is_installed_activated_and_gone_back_from(device: Device, tmp_path: Path) -> None:
    for release in (1, 2):
        code, said = device.bundle("install", make_bundle(tmp_path / f"{release}.loupe", release=release))
        assert code == 0
        assert said.startswith(f"scripted-{release}: is installed; to run it: edgeloupe bundle activate")
    assert device.bundle("rollback") == (
        2,
        "edgeloupe: no earlier model ran on this device: install one, and activate it",
    )
    assert device.bundle("activate", "scripted-1")[0] == 0
    BundleStore(tmp_path / "state").prove()
    code, said = device.bundle("activate", "scripted-2")
    assert (code, "edgeloupe tell d reload_model" in said) == (0, True)
    told = json.loads(device.bundle("list", "--json")[1])
    assert told == [
        {"bundle": "scripted-1", "state": "ran before"},
        {"bundle": "scripted-2", "state": "active, not proven yet"},
    ]
    assert "scripted-2  active, not proven yet" in device.bundle("list")[1]
    assert device.bundle("remove", "scripted-1")[0] == 2
    assert device.bundle("rollback")[0] == 0
    assert device.bundle("remove", "scripted-2") == (0, "scripted-2: is removed")


def test_one_that_fails_its_self_test_is_not_installed(device: Device, tmp_path: Path) -> None:
    code, said = device.bundle("install", make_bundle(tmp_path / "1.loupe", sound=False))
    assert code == 2
    assert "self-test on probe/1.png: foreground IoU 0.000" in said
    assert device.bundle("list")[1] == "bundle  state"


def test_one_that_the_rules_do_not_fit_is_not_activated(device: Device, tmp_path: Path) -> None:
    assert device.bundle("install", make_bundle(tmp_path / "1.loupe", spot="hole"))[0] == 0
    code, said = device.bundle("activate", "scripted-1")
    assert (code, said) == (2, "edgeloupe: rules.spot: the model has no such class, only good, hole")
    assert BundleStore(tmp_path / "state").standing().active is None


def test_a_bundle_that_the_configuration_names_is_told_to_go_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = make_bundle(tmp_path / "1.loupe")
    device = Device(tmp_path, capsys, model={"bundle": str(first), "minimum_release": 2})
    assert "model.minimum_release is 2" in device.bundle("install", first)[1]
    assert device.bundle("install", make_bundle(tmp_path / "2.loupe", release=2))[0] == 0
    assert "stands in the configuration and goes before" in device.bundle("activate", "scripted-2")[1]
