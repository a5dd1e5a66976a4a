"""A power cut while alerts are committed and published: one disk over several boots, started by systemd at each."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from edge.outbox.outbox import OutboxReader
from tests.brokers import Ear
from tests.scripted import make_bundle
from tests.vm.guest import service, vivid

pytestmark = pytest.mark.timeout(1800)
_OUTBOX = service.STATE / "outbox.sqlite"
_TOLD = Path("/opt/parcel/told.json")
_HEARD_BEFORE_THE_CUT = 20


@pytest.fixture
def broker() -> int:
    """Debian's mosquitto as its package sets it up."""
    service.systemctl("start", "mosquitto")
    return 1883


def test_the_outbox_is_whole_and_has_every_alert_that_was_heard_of() -> None:
    told = [json.loads(line) for line in json.loads(_TOLD.read_text(encoding="utf-8"))]
    service.systemctl("stop", "edgeloupe")
    with closing(sqlite3.connect(_OUTBOX)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    kept = {alert["seq"]: alert for alert in OutboxReader(_OUTBOX).recent(1_000_000)}
    assert {alert["epoch"] for alert in kept.values()} == {alert["epoch"] for alert in told}
    lost = [alert["seq"] for alert in told if kept.get(alert["seq"], {}).get("alert_id") != alert["alert_id"]]
    assert lost == []
    assert sorted(kept) == list(range(min(kept), max(kept) + 1))


def test_the_power_is_cut(broker: int) -> None:
    """It ends in the middle, by its own doing: whatever comes after the last line is the next boot's to say."""
    camera = vivid.load()
    vivid.control(test_pattern=vivid.RED)
    bundle = Path("/var/lib/scripted.loupe")
    if not bundle.exists():
        make_bundle(bundle)
        service.configure(bundle, camera, "spot", mqtt={"port": broker})
        service.systemctl("enable", "edgeloupe")
        os.sync()  # what an operator sets up has lain on the disk for long when the power goes
    service.systemctl("restart", "edgeloupe")  # takes longer here than the broker waits for a silent listener
    with (
        Path("/dev/virtio-ports/told").open("w", encoding="ascii", buffering=1) as outside,
        Ear(broker, "edgeloupe/guest/c/alert") as ear,
    ):
        heard, deadline = 0, time.monotonic() + service.GIVE_UP_S
        while heard < _HEARD_BEFORE_THE_CUT:
            assert time.monotonic() < deadline, service.journal()
            ear.hark(0.05)
            for received in ear.heard:
                alert = json.loads(received.payload)
                outside.write(json.dumps({key: alert[key] for key in ("epoch", "seq", "alert_id")}) + "\n")
            heard += len(ear.heard)
            ear.heard.clear()
        Path("/proc/sysrq-trigger").write_text("b", encoding="ascii")
        time.sleep(60)
