"""The Prometheus text, read by a strict parser of the exposition format."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from edge.web.core_health import Told
from edge.web.metrics import exposition

if TYPE_CHECKING:
    import httpx

    from edge.web.fake import FakeDevice

SAMPLE = re.compile(r'([a-z_]+)(\{(?:[a-z][a-z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (-?[0-9.e+-]+)')


def parse(text: str) -> dict[str, dict[str, float]]:
    """Read families; each must be announced once, by HELP then TYPE, and counters alone end in _total."""
    families: dict[str, dict[str, float]] = {}
    name = kind = ""
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in families
            assert name.startswith("edgeloupe_")
            families[name] = {}
        elif line.startswith("# TYPE "):
            _, _, typed, kind = line.split()
            assert typed == name
            assert kind in ("counter", "gauge")
            assert (kind == "counter") == name.endswith("_total")
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] == name
            assert (match[2] or "") not in families[name]
            families[name][match[2] or ""] = float(match[3])
    return families


def test_a_silent_core_has_no_figures(client: httpx.Client, device: FakeDevice) -> None:
    device.tell(age_s=60)
    families = parse(client.get("/metrics").text)
    assert set(families) == {"edgeloupe_core_up", "edgeloupe_build_info"}
    assert families["edgeloupe_core_up"] == {"": 0}


def test_what_happened_is_counted_by_camera_and_verdict(client: httpx.Client, device: FakeDevice) -> None:
    device.show("belt")
    device.show("belt", lesions=2)
    device.alert("belt")
    device.tell()
    answer = client.get("/metrics")
    families = parse(answer.text)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert families["edgeloupe_results_total"]['{camera="belt",evaluation="NotOK"}'] == 2
    assert families["edgeloupe_results_total"]['{camera="belt",evaluation="OK"}'] == 1
    assert families["edgeloupe_defects_total"] == {'{camera="belt",class="lesion"}': 4}
    assert families["edgeloupe_frames_captured_total"] == {'{camera="belt"}': 3}
    assert families["edgeloupe_camera_up"] == {'{camera="belt"}': 1}
    assert families["edgeloupe_outbox_pending"] == {"": 1}
    told = {
        name: families[f"edgeloupe_sink_{name}"] for name in ("connected", "alerts_total", "refused_total", "pending")
    }
    assert told == {
        "connected": {'{sink="erp"}': 1},
        "alerts_total": {'{sink="erp"}': 5},
        "refused_total": {'{sink="erp"}': 1},
        "pending": {'{sink="erp"}': 2},
    }
    assert families["edgeloupe_mqtt_connected"] == {"": 1}
    assert families["edgeloupe_inference_seconds"] == {'{camera="belt"}': 0.011}
    assert 'name="leaf"' in next(iter(families["edgeloupe_model_info"]))


def test_label_values_are_escaped() -> None:
    told = Told(document={"cameras": {'a"b\\c\nd': {"state": "live", "frames": 1}}}, age_s=0.1)
    assert parse(exposition(told))["edgeloupe_camera_up"] == {r'{camera="a\"b\\c\nd"}': 1}


def test_a_device_that_told_little_gives_little() -> None:
    families = parse(exposition(Told(document={"cameras": {}, "mqtt": {"configured": False}}, age_s=0.0)))
    assert "edgeloupe_mqtt_connected" not in families
    assert "edgeloupe_model_info" not in families


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (apt-get install prometheus)")
def test_promtool_finds_nothing_to_mend(client: httpx.Client, device: FakeDevice) -> None:
    device.alert("belt")
    device.tell()
    text = client.get("/metrics").text
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
