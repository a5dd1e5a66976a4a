from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from edge.clock import SystemClock
from edge.errors import ConfigError
from edge.mqtt.broker import Broker, Message
from edge.mqtt.link import connect
from edge.outputs.sparkplug import Metric, payload
from tests.brokers import Ear, Mosquitto, until
from tests.edge.outputs.test_sparkplug import parsed
from tests.sites import Plant, alerts, result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = "spBv1.0/plant"
SETTINGS = {"kind": "sparkplug", "group": "plant"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def node(tmp_path: Path, broker: Mosquitto) -> Iterator[Plant]:
    plant = Plant(tmp_path / "state", mqtt_port=broker.port)
    yield plant
    plant.outbox.close()


def told(data: bytes) -> tuple[int | None, dict[str, dict[int, Any]]]:
    """Give a payload's sequence number and its metrics by name."""
    fields = parsed(data)
    metrics = [dict(parsed(value)) for key, value in fields if key == 2 and isinstance(value, bytes)]
    named = {bytes(metric[1]).decode(): metric for metric in metrics}
    return next((int(value) for key, value in fields if key == 3 and isinstance(value, int)), None), named


def say(port: int, topic: str, data: bytes, *, retain: bool = False) -> None:
    with connect(Broker(host="127.0.0.1", port=port), client_id="host", clock=SystemClock(), session_s=0) as link:
        link.publish(Message(topic=topic, payload=data, retain=retain), 1)
        while not link.acks:
            link.pump(1.0)


def kinds(ear: Ear) -> list[str]:
    return [heard.topic.removeprefix(f"{ROOT}/") for heard in ear.heard]


def test_births_come_first_then_results_and_alerts_numbered_without_a_gap(node: Plant, broker: Mosquitto) -> None:
    with Ear(broker.port, f"{ROOT}/#") as ear, node.sink(SETTINGS) as sink:
        ear.listen(lambda: len(ear.heard) >= 3)
        assert kinds(ear) == ["NBIRTH/line-3", "DBIRTH/line-3/belt", "DBIRTH/line-3/press"]
        sink.pass_on("belt", {**result("NotOK"), "recipe_id": "leaf"})
        ear.listen(lambda: len(ear.heard) >= 4)
        node.commit(*alerts(2))
        sink.wake()
        ear.listen(lambda: len(ear.heard) >= 6)
        until(lambda: sink.status()["published"] == 2)
    heard = [told(one.payload) for one in ear.heard]
    assert [seq for seq, _ in heard] == list(range(6))
    assert heard[0][1]["bdSeq"][11] == 0
    assert heard[1][1]["Evaluation"][7] == 1  # null until something was inspected
    data = heard[3][1]
    assert (data["Evaluation"][15], data["EvaluationCode"][11], data["Counts/NotOK"][11]) == (b"NotOK", 2, 1)
    assert data["Recipe"][15] == b"leaf"
    assert set(data) <= set(heard[1][1])  # nothing is told that was not declared
    alert = json.loads(heard[4][1]["Alert"][15])
    assert alert["seq"] == 1
    assert not any(one.retain for one in ear.heard)


def test_a_node_that_leaves_or_is_lost_dies_under_the_number_it_was_born_with(node: Plant, broker: Mosquitto) -> None:
    with Ear(broker.port, f"{ROOT}/NDEATH/#", f"{ROOT}/NBIRTH/#") as ear:
        for session in range(2):
            with node.sink(SETTINGS):
                ear.listen(lambda: kinds(ear)[-1:] == ["NBIRTH/line-3"])
            ear.listen(lambda: kinds(ear)[-1:] == ["NDEATH/line-3"])
            born, died = (told(one.payload) for one in ear.heard[-2:])
            assert born[1]["bdSeq"][11] == died[1]["bdSeq"][11] == session
            assert died[0] is None


def test_a_host_may_ask_for_the_births_again(node: Plant, broker: Mosquitto) -> None:
    with Ear(broker.port, f"{ROOT}/NBIRTH/#", f"{ROOT}/DBIRTH/#") as ear, node.sink(SETTINGS):
        ear.listen(lambda: len(ear.heard) == 3)
        rebirth = Metric(name="Node Control/Rebirth", value=True, timestamp_ms=1)
        say(broker.port, f"{ROOT}/NCMD/line-3", payload(1, [rebirth], 0))
        ear.listen(lambda: len(ear.heard) == 6)
    assert [told(one.payload)[0] for one in ear.heard] == [0, 1, 2] * 2


def test_alerts_wait_for_the_primary_host_and_are_then_historical(node: Plant, broker: Mosquitto) -> None:
    state = "spBv1.0/STATE/scada"
    with Ear(broker.port, f"{ROOT}/#") as ear, node.sink({**SETTINGS, "primary_host": "scada"}) as sink:
        until(lambda: "waiting for host" in sink.status()["detail"])
        node.commit(*alerts(1))
        sink.wake()
        until(lambda: sink.status().get("behind") == 1)
        say(broker.port, state, b'{"online": true, "timestamp": 1}', retain=True)
        ear.listen(lambda: kinds(ear)[-1:] == ["DDATA/line-3/belt"])
        assert told(ear.heard[-1].payload)[1]["Alert"][5] == 1
        say(broker.port, state, b'{"online": false, "timestamp": 2}', retain=True)
        ear.listen(lambda: kinds(ear)[-1:] == ["NDEATH/line-3"])
        until(lambda: "waiting for host" in sink.status()["detail"])
        node.commit(*alerts(1))
        say(broker.port, state, b'{"online": true, "timestamp": 3}', retain=True)
        ear.listen(lambda: kinds(ear).count("DDATA/line-3/belt") == 2)
    assert kinds(ear)[-2:] == ["DDATA/line-3/belt", "NDEATH/line-3"] or kinds(ear)[-1] == "DDATA/line-3/belt"


def test_a_broker_that_is_killed_gets_everything_when_it_is_back(node: Plant, broker: Mosquitto) -> None:
    with node.sink(SETTINGS) as sink:
        until(lambda: sink.status()["connected"])
        broker.kill()
        until(lambda: not sink.status()["connected"])
        node.commit(*alerts(3))
        broker.start()
        until(lambda: sink.status()["published"] == 3)


def test_without_a_broker_configured_it_is_a_mistake(plant: Plant) -> None:
    with pytest.raises(ConfigError, match="add section mqtt"):
        plant.sink(SETTINGS)
