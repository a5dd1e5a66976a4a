from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, Producer

from tests.brokers import free_port, until
from tests.sites import alerts

if TYPE_CHECKING:
    from tests.sites import Plant


class Cluster:
    """The cluster that Kafka's C library brings along: it speaks the real protocol on real sockets."""

    def __init__(self) -> None:
        self._owner = Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "x"})
        brokers = self._owner.list_topics(timeout=10).brokers.values()
        self.brokers = [f"{broker.host}:{broker.port}" for broker in brokers]

    def messages(self, count: int) -> list[Any]:
        consumer = Consumer({"bootstrap.servers": self.brokers[0], "group.id": "test", "auto.offset.reset": "earliest"})
        consumer.subscribe(["alerts"])
        found: list[Any] = []
        try:
            until(lambda: _poll(consumer, found) >= count)
        finally:
            consumer.close()
        return found


def _poll(consumer: Consumer, found: list[Any]) -> int:
    message = consumer.poll(0.2)
    if message is not None and message.error() is None:
        found.append(message)
    return len(found)


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return Cluster()


def settings(*brokers: str, **more: Any) -> dict[str, Any]:
    return {"kind": "kafka", "brokers": list(brokers), "topic": "alerts", **more}


def test_every_alert_is_a_record_keyed_by_camera_in_order(plant: Plant, cluster: Cluster) -> None:
    with plant.sink(settings(*cluster.brokers)) as sink:
        plant.commit(*alerts(30))
        until(lambda: sink.status()["published"] == 30)
    found = cluster.messages(30)
    assert [json.loads(message.value())["seq"] for message in found] == list(range(1, 31))
    assert {message.key() for message in found} == {b"line-3/belt"}
    assert dict(found[0].headers())["seq"] == b"1"


def test_an_alert_too_large_for_the_cluster_does_not_hold_up_the_next(plant: Plant, cluster: Cluster) -> None:
    with plant.sink(settings(*cluster.brokers)) as sink:
        plant.commit(*alerts(1, reasons=["x" * 1_100_000]), *alerts(1))
        until(lambda: sink.status()["published"] == 1)
        assert sink.status()["refused"] == 5


def test_a_cluster_that_is_away_is_told_and_nothing_is_lost(plant: Plant, cluster: Cluster) -> None:
    with plant.sink(settings(f"127.0.0.1:{free_port()}")) as sink:
        plant.commit(*alerts(2))
        until(lambda: "check brokers" in sink.status()["detail"])
        assert sink.status()["published"] == 0
    with plant.sink(settings(*cluster.brokers)) as sink:
        until(lambda: sink.status()["published"] == 2)
