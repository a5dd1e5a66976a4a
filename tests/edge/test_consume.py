from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from edge.clock import SystemClock
from edge.config import MqttConfig
from edge.consume import Alert, Consumer
from edge.errors import BrokerError
from edge.mqtt.broker import Broker, Message
from edge.mqtt.link import Backoff, connect
from edge.outbox.outbox import Outbox
from edge.sinks.mqtt import MqttSink
from tests.brokers import PATIENCE_S, Amqtt, Mosquitto, RunningBroker, free_port, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

QUICK = Backoff(first_s=0.1, most_s=0.3)
CLOCK = SystemClock()


def alerts(count: int) -> list[Mapping[str, Any]]:
    return [{"camera": "belt", "alert_id": f"a{n}", "type": "new"} for n in range(count)]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite", CLOCK) as outbox:
        yield outbox


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, "max_queued_messages 0") as broker:
        yield broker


def make_sink(tmp_path: Path, port: int) -> MqttSink:
    config = MqttConfig(port=port, prefix="plant/hall-2")
    return MqttSink(
        config, device="line3", cameras=["belt"], outbox_path=tmp_path / "outbox.sqlite", clock=CLOCK, backoff=QUICK
    )


def make_consumer(port: int, **more: Any) -> Consumer:
    return Consumer("127.0.0.1", port, "plant/hall-2", grace_s=0.5, backoff=QUICK, **more)


def take(consumer: Consumer, enough: Callable[[list[Alert]], object]) -> list[Alert]:
    """Take alerts until there are enough of them, and none more comes at once."""
    deadline = time.monotonic() + PATIENCE_S
    taken: list[Alert] = []
    while not enough(taken):
        if time.monotonic() > deadline:
            pytest.fail(f"waited in vain; took {sorted(alert.seq for alert in taken)[:50]}…")
        alert = consumer.poll(0.1)
        taken += [alert] if alert else []
    consumer.settle()
    return taken


def numbers(taken: list[Alert]) -> list[int]:
    return sorted(alert.seq for alert in taken)


def meet(consumer: Consumer) -> None:
    """Let the consumer see the device's state, so that everything later is owed to it."""
    until(lambda: consumer.poll(0.05) is None and consumer._ledger.knows("line3"))  # noqa: SLF001


def test_every_alert_comes_once_with_all_it_says(tmp_path: Path, outbox: Outbox, broker: Mosquitto) -> None:
    with make_sink(tmp_path, broker.port) as sink, make_consumer(broker.port) as consumer:
        meet(consumer)
        outbox.commit([{"camera": "belt", "alert_id": "a", "type": "new", "result_evaluation": "NotOK"}] * 30)
        sink.wake()
        taken = take(consumer, lambda taken: len(taken) == 30)
        assert [alert.seq for alert in taken] == list(range(1, 31))
        assert taken[0] == Alert(
            device="line3", camera="belt", epoch=outbox.epoch or "", seq=1, payload=outbox.recent(1, before_seq=2)[0]
        )
        until(lambda: outbox.pending_count == 0)
        outbox.replay(1, 30)
        sink.wake()
        until(lambda: consumer.poll(0.05) is None and consumer.duplicates == 30)
        assert consumer.lost == 0


@contextmanager
def committing(outbox_path: Path, sink: MqttSink, total: int) -> Iterator[None]:
    """Commit alerts all the while, from a thread that is the core here."""

    def commit() -> None:
        with Outbox(outbox_path, CLOCK) as outbox:
            for _ in range(total // 5):
                outbox.commit(alerts(5))
                sink.wake()
                time.sleep(0.005)

    thread = threading.Thread(target=commit, name="core")
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_a_broker_stopped_and_started_in_the_middle_loses_nothing(
    tmp_path: Path, outbox: Outbox, broker: Mosquitto
) -> None:
    with make_sink(tmp_path, broker.port) as sink, make_consumer(broker.port) as consumer:
        meet(consumer)
        with committing(tmp_path / "outbox.sqlite", sink, 1000):
            taken = take(consumer, lambda taken: len(taken) >= 100)
            broker.stop()
            broker.start()
            taken += take(consumer, lambda taken: len(taken) >= 100)
            broker.kill()
            broker.start()
        taken += take(consumer, lambda more: len(taken) + len(more) >= 1000)
        assert numbers(taken) == list(range(1, 1001))
        assert outbox.last_seq == 1000
        until(lambda: outbox.pending_count == 0)
        assert consumer.lost == 0


def test_what_a_broker_acknowledged_and_lost_is_replayed(tmp_path: Path, outbox: Outbox, broker: Mosquitto) -> None:
    seen = tmp_path / "seen.sqlite"
    with make_sink(tmp_path, broker.port) as sink:
        with make_consumer(broker.port, db=seen) as consumer:
            meet(consumer)
        outbox.commit(alerts(300))  # for a subscriber that is away but expected back
        sink.wake()
        until(lambda: outbox.pending_count == 0)
        broker.kill()
        broker.start()
        with make_consumer(broker.port, db=seen) as consumer:
            taken = take(consumer, lambda taken: len(taken) == 300)
            assert numbers(taken) == list(range(1, 301))
            assert consumer.lost == 0


def test_what_a_broker_dropped_from_a_full_queue_is_replayed(tmp_path: Path, outbox: Outbox) -> None:
    seen = tmp_path / "seen.sqlite"
    with (
        Mosquitto(tmp_path, "max_queued_messages 50") as broker,
        make_sink(tmp_path, broker.port) as sink,
    ):
        with make_consumer(broker.port, db=seen) as consumer:
            meet(consumer)
        outbox.commit(alerts(300))
        sink.wake()
        until(lambda: outbox.pending_count == 0)
        with make_consumer(broker.port, db=seen) as consumer:
            assert numbers(take(consumer, lambda taken: len(taken) == 300)) == list(range(1, 301))


def test_more_than_one_request_is_made_for_a_large_gap(tmp_path: Path, outbox: Outbox, broker: Mosquitto) -> None:
    outbox.commit(alerts(2500))
    outbox.acknowledge(range(1, 2501))
    with make_sink(tmp_path, broker.port), make_consumer(broker.port, since="first") as consumer:
        taken = take(consumer, lambda taken: len(taken) == 2500)
        assert [alert.seq for alert in taken] == list(range(1, 2501))


def test_a_restarted_consumer_repeats_nothing_but_what_it_had_not_finished(
    tmp_path: Path, outbox: Outbox, broker: Mosquitto
) -> None:
    seen = tmp_path / "seen.sqlite"
    with make_sink(tmp_path, broker.port) as sink:
        with make_consumer(broker.port, db=seen) as consumer:
            meet(consumer)
            outbox.commit(alerts(5))
            sink.wake()
            for alert in consumer:
                if alert.seq == 3:
                    break  # the program dies here, in the middle of its work
        with make_consumer(broker.port, db=seen) as consumer:
            assert numbers(take(consumer, lambda taken: len(taken) == 3)) == [3, 4, 5]
        until(lambda: outbox.pending_count == 0)
        outbox.replay(1, 5)
        sink.wake()
        with make_consumer(broker.port, db=seen) as consumer:
            until(lambda: consumer.poll(0.05) is None and consumer.duplicates == 5)


def test_alerts_that_no_longer_exist_are_reported_as_lost(tmp_path: Path, outbox: Outbox, broker: Mosquitto) -> None:
    seen = tmp_path / "seen.sqlite"
    with make_sink(tmp_path, broker.port), make_consumer(broker.port, db=seen) as consumer:
        meet(consumer)
    outbox.commit([{**alert, "type": "end"} for alert in alerts(40)])
    outbox.acknowledge([*range(1, 11), *range(20, 31)])
    outbox.prune(-1, keep_rows=0)
    with make_sink(tmp_path, broker.port), make_consumer(broker.port, db=seen) as consumer:
        taken = take(consumer, lambda taken: len(taken) == 19 and consumer.lost == 21)
        assert numbers(taken) == [*range(11, 20), *range(31, 41)]


def test_a_new_store_after_damage_is_taken_from_its_beginning(tmp_path: Path, broker: Mosquitto) -> None:
    path, seen = tmp_path / "outbox.sqlite", tmp_path / "seen.sqlite"
    with Outbox(path, CLOCK) as outbox, make_consumer(broker.port, db=seen, since="first") as consumer:
        outbox.commit(alerts(3))
        with make_sink(tmp_path, broker.port):
            taken = take(consumer, lambda taken: len(taken) == 3)
    path.write_bytes(b"damaged" * 1000)
    with Outbox(path, CLOCK) as outbox:
        assert outbox.recovered is not None
        outbox.commit(alerts(3))
        outbox.acknowledge([1, 2])  # the broker of the time lost them
        with make_sink(tmp_path, broker.port), make_consumer(broker.port, db=seen) as consumer:
            again = take(consumer, lambda taken: len(taken) == 3)
    assert len({(alert.epoch, alert.seq) for alert in taken + again}) == 6


def test_it_works_with_mqtt_3_1_1(tmp_path: Path, outbox: Outbox) -> None:
    outbox.commit(alerts(30))
    outbox.acknowledge(range(1, 31))
    with Amqtt() as broker, make_sink(tmp_path, broker.port), make_consumer(broker.port, since="first") as consumer:
        assert numbers(take(consumer, lambda taken: len(taken) == 30)) == list(range(1, 31))


def say(broker: RunningBroker, *messages: Message) -> None:
    where = Broker(host="127.0.0.1", port=broker.port)
    with connect(where, client_id="stranger", clock=CLOCK, session_s=0) as link:
        for message in messages:
            link.publish(message)
        while link.room < link.window:
            link.pump(1.0)


def test_messages_that_are_no_alerts_are_counted_and_left_out(broker: Mosquitto) -> None:
    root = "plant/hall-2/line3"
    with make_consumer(broker.port) as consumer:
        consumer.connect()
        consumer.poll(0.1)
        say(
            broker,
            Message(topic=f"{root}/belt/alert", payload=b"\xff"),
            Message(topic=f"{root}/belt/alert", payload=b'{"epoch":"e","seq":"1"}'),
            Message(topic=f"{root}/cmd/alert", payload=b'{"epoch":"e","seq":1}'),
            Message(topic=f"{root}/state", payload=b"[" * 100_000),
            Message(topic=f"{root}/belt/alert", payload=json.dumps({"epoch": "e", "seq": 9}).encode()),
        )
        (alert,) = take(consumer, lambda taken: len(taken) == 1)
        assert (alert.seq, consumer.malformed) == (9, 2)


def test_connecting_in_vain_is_one_line_and_iterating_waits(tmp_path: Path, outbox: Outbox) -> None:
    outbox.commit(alerts(1))
    with Mosquitto(tmp_path) as broker:
        broker.stop()
        with make_consumer(broker.port, since="first") as consumer:
            with pytest.raises(BrokerError, match="connection refused"):
                consumer.connect()
            assert consumer.poll(0.3) is None
            broker.start()
            with make_sink(tmp_path, broker.port):
                assert numbers(take(consumer, lambda taken: len(taken) == 1)) == [1]


def test_the_example_of_the_module_is_what_people_need(tmp_path: Path, outbox: Outbox, broker: Mosquitto) -> None:
    with make_sink(tmp_path, broker.port) as sink, make_consumer(broker.port) as consumer:
        meet(consumer)
        outbox.commit(alerts(2))
        sink.wake()
        got = []
        for alert in consumer:
            got.append((alert.camera, alert.payload["type"]))
            if len(got) == 2:
                break
    assert got == [("belt", "new")] * 2


def test_importing_the_consumer_needs_no_pictures_and_no_network() -> None:
    import subprocess

    code = "import sys, edge.consume; print([m for m in ('cv2', 'numpy', 'fastapi', 'torch') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"
    assert free_port() > 0
