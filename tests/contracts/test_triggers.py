"""What every trigger must do, whatever pulls it; on the other side stand real peers."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge import triggers
from edge.camera_config import CameraConfig, IntervalTrigger
from edge.clock import FakeClock
from edge.config import MqttConfig
from edge.errors import ConfigError
from edge.mqtt.broker import Message
from edge.triggers import KINDS, Place
from edge.triggers.interval import Interval
from tests.brokers import Mosquitto, free_port, publish, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge.picture import Picture
    from edge.triggers import Trigger

PULLED = ("modbus", "mqtt", "opcua")
"""Those that something outside pulls and that have a real peer here; gpio needs a chip."""


def grey(value: int = 128) -> Picture:
    noise = np.random.default_rng(value).integers(-2, 3, (96, 128, 3))
    return np.clip(value + noise, 0, 255).astype(np.uint8)


def make(config: dict[str, Any], mqtt: MqttConfig | None = None) -> Trigger:
    camera = CameraConfig.model_validate({"source": "synthetic:plain", "trigger": config})
    return triggers.create(camera, Place(device="dev", camera="cam", mqtt=mqtt))


def wanted(trigger: Trigger) -> bool:
    return trigger.ask(grey(), time.monotonic()).wanted


@dataclass(frozen=True)
class Pulled:
    """A trigger and the hand that pulls it."""

    trigger: Trigger
    pull: Callable[[], None]
    cut: Callable[[], None]  # takes the other side away


@contextmanager
def modbus_peer() -> Iterator[tuple[int, Callable[[], None], Callable[[], None]]]:
    from pymodbus.client import ModbusTcpClient
    from pymodbus.server import ModbusTcpServer
    from pymodbus.simulator import DataType, SimData, SimDevice

    port, loop = free_port(), asyncio.new_event_loop()
    ready, servers = threading.Event(), list[Any]()

    async def serve() -> None:
        device = SimDevice(1, simdata=[SimData(0, values=[0] * 16, datatype=DataType.REGISTERS)])
        server = ModbusTcpServer(device, address=("127.0.0.1", port))
        servers.append(server)
        await server.serve_forever(background=True)
        ready.set()
        await server.serving

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())

    def pull() -> None:
        hand: Any = ModbusTcpClient("127.0.0.1", port=port)
        assert hand.connect()
        for value in (True, False):
            assert not hand.write_coil(3, value, device_id=1).isError()
            time.sleep(0.2)
        hand.close()

    def cut() -> None:
        asyncio.run_coroutine_threadsafe(servers[0].shutdown(), loop).result(5)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield port, pull, cut
    if loop.is_running():
        cut()
    thread.join(5)
    loop.close()


@contextmanager
def opcua_peer() -> Iterator[tuple[str, str, Callable[[], None], Callable[[], None]]]:
    from asyncua import sync

    url = f"opc.tcp://127.0.0.1:{free_port()}/plc"
    server = sync.Server()
    server.set_endpoint(url)
    space = server.register_namespace("plant")
    node = server.nodes.objects.add_object(space, "line").add_variable(space, "part", False)
    server.start()
    running = [True]

    def pull() -> None:
        node.write_value(True)
        time.sleep(0.1)
        node.write_value(False)

    def cut() -> None:
        if running.pop():
            server.stop()
            running.append(False)

    yield url, node.nodeid.to_string(), pull, cut
    if running[0]:
        server.stop()


@pytest.fixture(params=PULLED)
def pulled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pulled]:
    with ExitStack() as stack:
        match request.param:
            case "mqtt":
                broker = stack.enter_context(Mosquitto(tmp_path))
                trigger = make({"kind": "mqtt"}, MqttConfig(port=broker.port, prefix="plant"))
                message = Message(topic="plant/dev/cam/trigger/set", payload=b"")
                yield Pulled(stack.enter_context(trigger), lambda: publish(broker.port, message), broker.kill)
            case "modbus":
                port, pull, cut = stack.enter_context(modbus_peer())
                trigger = make({"kind": "modbus", "host": "127.0.0.1", "port": port, "coil": 3})
                yield Pulled(stack.enter_context(trigger), pull, cut)
            case "opcua":
                url, node, pull, cut = stack.enter_context(opcua_peer())
                trigger = make({"kind": "opcua", "url": url, "node": node})
                yield Pulled(stack.enter_context(trigger), pull, cut)


def test_every_kind_has_a_case_here() -> None:
    assert set(KINDS) == {*PULLED, "free", "interval", "change", "gpio"}


def test_each_pull_wants_one_picture(pulled: Pulled) -> None:
    until(lambda: not pulled.trigger.ask(None, time.monotonic()).trouble, "for the other side")
    assert not wanted(pulled.trigger)
    for _ in range(2):
        pulled.pull()
        until(lambda: wanted(pulled.trigger), "for the pull to be heard")
        assert not wanted(pulled.trigger)


def test_a_pull_waits_for_a_camera_that_is_closed(pulled: Pulled) -> None:
    until(lambda: not pulled.trigger.ask(None, time.monotonic()).trouble, "for the other side")
    pulled.pull()
    time.sleep(0.3)
    assert not pulled.trigger.ask(None, time.monotonic()).wanted
    until(lambda: wanted(pulled.trigger), "for the pull to be heard")


def test_the_other_side_going_away_is_one_helpful_line(pulled: Pulled) -> None:
    until(lambda: not pulled.trigger.ask(None, time.monotonic()).trouble, "for the other side")
    pulled.cut()
    until(lambda: pulled.trigger.ask(None, time.monotonic()).trouble, "for the trouble to be told")
    trouble = pulled.trigger.ask(None, time.monotonic()).trouble
    assert "\n" not in trouble
    assert ":" in trouble


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"kind": "modbus", "host": "127.0.0.1", "port": free_port(), "coil": 0}, "does not answer"),
        ({"kind": "opcua", "url": f"opc.tcp://127.0.0.1:{free_port()}/x", "node": "i=85"}, "check url, node"),
        ({"kind": "gpio", "chip": "/dev/gpiochip77", "line": 3}, "gpio /dev/gpiochip77 line 3: No such file"),
    ],
)
def test_nobody_there_is_one_helpful_line(config: dict[str, Any], said: str) -> None:
    with make(config) as trigger:
        until(lambda: said in trigger.ask(None, time.monotonic()).trouble, "for the trouble to be told")
        assert not wanted(trigger)


def test_mqtt_without_a_broker_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="configure mqtt"):
        make({"kind": "mqtt"})


def test_free_run_wants_everything() -> None:
    with make({"kind": "free"}) as trigger:
        assert [wanted(trigger) for _ in range(3)] == [True] * 3


def test_an_interval_wants_one_picture_each_time_and_lets_the_camera_rest() -> None:
    with make({"kind": "interval", "every_s": 60}) as trigger:
        asked = [trigger.ask(grey(), now) for now in (1000.0, 1000.1, 1059.0, 1060.0, 1060.1)]
        assert [demand.wanted for demand in asked] == [True, False, False, True, False]
        assert [round(demand.rest_s, 1) for demand in asked] == [0.0, 59.9, 1.0, 0.0, 59.9]
        assert trigger.ask(grey(), 9000.0).wanted
        assert not trigger.ask(grey(), 9000.1).wanted, "what was slept through is not made up for"


@pytest.mark.parametrize(
    ("begin", "end", "hour", "state"),
    [
        ("06:00", "18:00", 12, "open"),
        ("06:00", "18:00", 20, "closed"),
        ("22:00", "05:00", 23, "open"),
        ("22:00", "05:00", 12, "closed"),
    ],
)
def test_a_window_of_the_day_closes_and_opens(begin: str, end: str, hour: int, state: str) -> None:
    here = datetime(2026, 6, 1, hour, tzinfo=UTC).astimezone().replace(hour=hour)
    clock = FakeClock(here.timestamp())
    config = IntervalTrigger.model_validate({"kind": "interval", "every_s": 60, "begin": begin, "end": end})
    with Interval(config, clock) as trigger:
        demand = trigger.ask(grey(), clock.monotonic_s())
        assert demand.wanted is (state == "open")
        assert (demand.rest_s > 0) is (state == "closed")
        assert demand.rest_s <= 60, "the clock may be set meanwhile"


def test_a_part_that_arrives_and_lies_still_wants_one_picture() -> None:
    part = grey()
    part[30:70, 40:90] = 30
    passing = [
        grey(),
        grey(),
        _part_at(10),
        _part_at(40),
        part,
        part,
        part,
        part,
        part,
        grey(),
        grey(),
        part,
        part,
        part,
    ]
    with make({"kind": "change"}) as trigger:
        asked = [trigger.ask(picture, float(at)).wanted for at, picture in enumerate(passing)]
    assert [at for at, want in enumerate(asked) if want] == [6, 13]


def _part_at(left: int) -> Picture:
    picture = grey()
    picture[30:70, left : left + 40] = 30
    return picture


def test_a_slow_change_of_light_is_no_part() -> None:
    with make({"kind": "change"}) as trigger:
        assert not any(trigger.ask(grey(100 + step // 10), float(step)).wanted for step in range(400))


def test_while_nothing_moves_only_idle_fps_are_wanted() -> None:
    with make({"kind": "free", "idle_fps": 0.5}) as trigger:
        still = [trigger.ask(grey(), at / 10).wanted for at in range(100)]
        moved = [trigger.ask(_part_at(4 * at % 80), 10 + at / 10).wanted for at in range(40)]
        after = [trigger.ask(_part_at(4 * 39 % 80), 14 + at / 10).wanted for at in range(100)]
    assert sum(still) == 5  # one every two seconds
    assert all(moved)
    assert after[:9] == [True] * 9  # it may go on in a moment
    assert 4 <= sum(after[10:]) <= 5


def test_whatever_moves_is_wanted_when_asked_so() -> None:
    with make({"kind": "change", "on": "moved"}) as trigger:
        asked = [
            trigger.ask(picture, 0.0).wanted for picture in (grey(), grey(), _part_at(10), _part_at(40), _part_at(40))
        ]
    assert asked == [False, False, True, True, False]
