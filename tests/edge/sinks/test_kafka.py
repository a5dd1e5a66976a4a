from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.brokers import free_port, until
from tests.peers import KafkaCluster
from tests.sites import alerts

if TYPE_CHECKING:
    from tests.sites import Plant


@pytest.fixture(scope="module")
def cluster() -> KafkaCluster:
    return KafkaCluster()


def settings(*brokers: str, **more: Any) -> dict[str, Any]:
    return {"kind": "kafka", "brokers": list(brokers), "topic": "alerts", **more}


def test_every_alert_is_a_record_keyed_by_camera_in_order(plant: Plant, cluster: KafkaCluster) -> None:
    with plant.sink(settings(*cluster.brokers)) as sink:
        plant.commit(*alerts(30))
        until(lambda: sink.status()["published"] == 30)
    found = cluster.messages(30)
    assert [json.loads(message.value())["seq"] for message in found] == list(range(1, 31))
    assert {message.key() for message in found} == {b"line-3/belt"}
    assert dict(found[0].headers())["seq"] == b"1"


def test_an_alert_too_large_for_the_cluster_does_not_hold_up_the_next(plant: Plant, cluster: KafkaCluster) -> None:
    with plant.sink(settings(*cluster.brokers)) as sink:
        plant.commit(*alerts(1, reasons=["x" * 1_100_000]), *alerts(1))
        until(lambda: sink.status()["published"] == 1)
        assert sink.status()["refused"] == 5


def test_a_cluster_that_is_away_is_told_and_nothing_is_lost(plant: Plant, cluster: KafkaCluster) -> None:
    with plant.sink(settings(f"127.0.0.1:{free_port()}")) as sink:
        plant.commit(*alerts(2))
        until(lambda: "check brokers" in sink.status()["detail"])
        assert sink.status()["published"] == 0
    with plant.sink(settings(*cluster.brokers)) as sink:
        until(lambda: sink.status()["published"] == 2)
