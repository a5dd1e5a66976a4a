"""The configuration file: strict, every mistake at once, each with its line and the nearest name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.config import WebConfig, load_config
from edge.errors import ConfigError
from edge.sink_config import WebhookConfig

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
device: line-3
model:
  bundle: model.loupe
cameras:
  belt:
    source: file:pictures
    fps: 5
rules:
  lesion: {min_score: 0.6}
mqtt:
  host: broker
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "edgeloupe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    return [line.removeprefix(f"{tmp_path}/") for line in str(caught.value).splitlines()]


def test_a_good_file_loads(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD))
    assert config.device == "line-3"
    assert config.cameras["belt"].fps == 5
    assert config.mqtt is not None
    assert config.mqtt.prefix == "edgeloupe"


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_key(tmp_path: Path) -> None:
    text = GOOD.replace("    fps: 5", "    fsp: 5")
    assert faults(tmp_path, text) == ["edgeloupe.yaml:7: unknown key 'cameras.belt.fsp': did you mean 'fps'?"]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("fps: 5", "fps: 0").replace("host: broker", "prot: 1").replace("0.6", "6")
    assert faults(tmp_path, text) == [
        "edgeloupe.yaml:7: cameras.belt.fps = 0: should be greater than 0",
        "edgeloupe.yaml:9: rules.lesion.min_score = 6: should be less than or equal to 1",
        "edgeloupe.yaml:11: unknown key 'mqtt.prot': did you mean 'port'?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("device: line-3\n", "", "edgeloupe.yaml:1: device: is missing: add it"),
        ("file:pictures", "gopher:x", "must be SCHEME:PLACE with a scheme of belt, file, "),
        ("line-3", "Line 3", "device = 'Line 3': string should match pattern"),
        ("  host: broker", "  prefix: a/#", "must be topic levels without +, #"),
        ("mqtt:", "web: {host: 0.0.0.0}\nmqtt:", "must be a loopback address"),
        ("{min_score: 0.6}", "{min_score: 0.3, undecided_score: 0.4}", "undecided_score must be below min_score"),
        ("device: line-3", "device: line-3\ndevice: line-4", "edgeloupe.yaml:2: repeated key 'device'"),
        ("device: line-3", "device: [", "not valid YAML"),
        ("device: line-3", "device: !!python/object/apply:os.system [true]", "not valid YAML"),
    ],
)
def test_a_mistake_gets_one_helpful_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert any(said in fault for fault in faults(tmp_path, GOOD.replace(old, new)))


def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    assert faults(tmp_path, "- a\n- b\n") == [
        "edgeloupe.yaml:1: must be a mapping of keys to values, such as `device: line-3`"
    ]


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory: give a YAML file"):
        load_config(tmp_path / "none.yaml")


def test_the_password_comes_from_a_file_or_a_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mqtt-password").write_text("secret\n", encoding="utf-8")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    plain = load_config(write(tmp_path, GOOD)).mqtt
    named = load_config(write(tmp_path, GOOD + f"  password_file: {tmp_path}/mqtt-password\n")).mqtt
    assert plain is not None
    assert named is not None
    assert plain.password() is None
    assert named.password() == "secret"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert plain.password() == "secret"


def test_a_password_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    mqtt = load_config(write(tmp_path, GOOD + "  password_file: nowhere\n")).mqtt
    assert mqtt is not None
    with pytest.raises(ConfigError, match=r"mqtt\.password_file = nowhere"):
        mqtt.password()


SINKS = """sinks:
  erp: {kind: webhook, url: "https://erp.example/alerts"}
  plc: {kind: modbus, reject: {camera: belt, distance_mm: 350, speed_mm_s: 200}}
"""


def test_sinks_have_names_of_ones_own_and_settings_of_their_kind(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD + SINKS))
    assert {name: sink.kind for name, sink in config.sinks.items()} == {"erp": "webhook", "plc": "modbus"}


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("url:", "uri:", "sinks.erp.webhook.uri"),
        ("kind: webhook", "kind: carrier-pigeon", "sinks.erp"),
        ("https://erp", "ftp://erp", "sinks.erp.webhook.url"),
        ("https://erp.example/", "https://erp.example:99999/", "sinks.erp.webhook.url"),
        ("https://erp.example/", "https://user:word@erp.example/", "sinks.erp.webhook.url"),
        (", speed_mm_s: 200", "", "needs either speed_mm_s or mm_per_count"),
        ("camera: belt", "camera: press", "sinks.plc.reject.camera = 'press': is none of cameras"),
    ],
)
def test_mistakes_in_sinks_are_told(tmp_path: Path, before: str, after: str, fault: str) -> None:
    assert before in GOOD + SINKS
    found = faults(tmp_path, GOOD + SINKS.replace(before, after))
    assert any(fault in line for line in found), found


def test_sparkplug_needs_the_broker(tmp_path: Path) -> None:
    text = GOOD.replace("mqtt:\n  host: broker\n", "") + "sinks:\n  scada: {kind: sparkplug, group: plant}\n"
    assert any("sinks.scada goes through the broker: add section mqtt" in line for line in faults(tmp_path, text))


def test_the_dashboards_key_comes_from_its_file_or_systemd_and_is_long_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert WebConfig().key() is None
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert WebConfig().key() is None
    (tmp_path / "web-key").write_text("from systemd, and long\n", encoding="utf-8")
    assert WebConfig().key() == "from systemd, and long"
    (tmp_path / "short").write_text("secret", encoding="utf-8")
    with pytest.raises(ConfigError, match="shorter than 16 characters"):
        WebConfig(key_file=tmp_path / "short").key()
    with pytest.raises(ConfigError, match="give a file that can be read"):
        WebConfig(key_file=tmp_path / "none").key()


def test_a_secret_comes_from_its_file_systemd_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = load_config(write(tmp_path, GOOD + SINKS)).sinks["erp"]
    assert isinstance(sink, WebhookConfig)
    assert sink.secret("erp-2") is None
    monkeypatch.setenv("EDGELOUPE_ERP_2_SECRET", "from the environment")
    assert sink.secret("erp-2") == "from the environment"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "erp-2-secret").write_text("from systemd\n", encoding="utf-8")
    assert sink.secret("erp-2") == "from systemd"
    (tmp_path / "file").write_text("from a file\n", encoding="utf-8")
    assert sink.model_copy(update={"secret_file": tmp_path / "file"}).secret("erp-2") == "from a file"
    with pytest.raises(ConfigError, match="give a file that can be read"):
        sink.model_copy(update={"secret_file": tmp_path / "none"}).secret("erp-2")


ZONES = """\
    zones: {rim: {outline: [0, 0, 64, 480]}}
recipes:
  leaf: {}
  seed:
    rules:
      lesion: {zones: {rim: {ignore: true}}}
    cameras: {belt: {roi: [0, 0, 64, 64]}}
"""


def test_recipes_and_zones_have_names_of_ones_own(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD.replace("    fps: 5\n", ZONES)))
    assert config.cameras["belt"].zones["rim"].outline == ((0, 0), (64, 0), (64, 480), (0, 480))
    assert list(config.recipes) == ["leaf", "seed"]


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("zones: {rim: {ignore", "zones: {rmi: {ignore", "recipes.seed.rules.lesion.zones.rmi: no camera has such"),
        ("{ignore: true}", "{ignor: true}", "'recipes.seed.rules.lesion.zones.rim.ignor': did you mean 'ignore'?"),
        ("{belt: {roi", "{press: {roi", "recipes.seed.cameras.press: is none of cameras"),
        ("outline: [0, 0, 64, 480]", "outline: [0, 0, 8, 8]", "cameras.belt.zones.rim.outline"),
        ("recipes:", "recipe: other\nrecipes:", "recipe = 'other': is none of recipes"),
        ("  leaf: {}", "  Leaf: {}", "recipes.Leaf"),
        ("belt:", "recipe:", "can't be a camera's name"),
    ],
)
def test_mistakes_in_recipes_and_zones_are_told(tmp_path: Path, before: str, after: str, fault: str) -> None:
    text = GOOD.replace("    fps: 5\n", ZONES)
    assert before in text
    found = faults(tmp_path, text.replace(before, after, 1))
    assert any(fault in line for line in found), found
