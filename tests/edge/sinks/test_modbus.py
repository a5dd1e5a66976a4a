from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from pymodbus.client import ModbusTcpClient

from edge.sinks import modbus
from tests.brokers import free_port, until
from tests.sites import alerts, result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.outputs.courier import Courier
    from tests.sites import Plant


class Plc:
    """A PLC's Modbus client."""

    def __init__(self, port: int) -> None:
        self.client = ModbusTcpClient("127.0.0.1", port=port, timeout=5)
        assert self.client.connect()

    def inputs(self, address: int, count: int = 1) -> list[int]:
        return list(self.client.read_input_registers(address, count=count, device_id=1).registers)

    def number(self, address: int) -> int:
        high, low = self.inputs(address, 2)
        return high << 16 | low

    def coil(self) -> bool:
        return self.client.read_coils(modbus.REJECT, count=1, device_id=1).bits[0]

    def write(self, address: int, number: int) -> None:
        answer = self.client.write_registers(address, [number >> 16, number & 0xFFFF], device_id=1)
        assert not answer.isError()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def plc(port: int) -> Iterator[Plc]:
    plc = Plc(port)
    yield plc
    plc.client.close()


def started(plant: Plant, port: int, **more: Any) -> Courier:
    sink = plant.sink({"kind": "modbus", "port": port, **more})
    sink.__enter__()
    until(lambda: sink.status()["connected"])
    return sink


@pytest.fixture
def sink(plant: Plant, port: int) -> Iterator[Courier]:
    sink = started(plant, port)
    yield sink
    sink.__exit__()


def test_a_plc_reads_verdicts_counts_and_areas_of_every_camera(sink: Courier, plc: Plc) -> None:
    for told in (result("OK"), result("NotDecidable"), result("NotOK", area_px=70_000)):
        sink.pass_on("belt", told)
    sink.pass_on("press", result("OK", "press"))
    press = modbus.CAMERA_REGISTERS
    until(lambda: plc.number(modbus.RESULTS) == 3 and plc.number(press + modbus.RESULTS) == 1)
    assert plc.inputs(modbus.VERDICT) == [2]
    assert [plc.number(at) for at in (modbus.OK, modbus.NOT_OK, modbus.NOT_DECIDABLE)] == [1, 1, 1]
    assert plc.number(modbus.AREA) == 70_000
    assert plc.inputs(press + modbus.VERDICT) == [1]
    bits = plc.client.read_discrete_inputs(0, count=20, device_id=1).bits
    assert (bits[16], bits[17]) == (True, False)


def test_health_and_a_beat_show_that_the_device_lives(sink: Courier, plc: Plc) -> None:
    sink.set_state({"ready": True, "outbox": {"last_seq": 70_001}, "cameras": {"belt": {"state": "live"}}})
    until(lambda: plc.inputs(modbus.READY) == [1])
    assert plc.number(modbus.LAST_SEQ) == 70_001
    assert plc.inputs(modbus.LIVE) == [1]
    assert plc.inputs(modbus.CAMERA_REGISTERS + modbus.LIVE) == [0]
    before = plc.inputs(modbus.HEARTBEAT)
    until(lambda: plc.inputs(modbus.HEARTBEAT) != before)


def test_alerts_wait_one_by_one_until_the_plc_wrote_their_number(plant: Plant, port: int) -> None:
    sink = started(plant, port, acknowledge=True)
    plc = Plc(port)
    plant.commit(*alerts(1), *alerts(1, kind="end"))
    sink.wake()
    until(lambda: plc.number(modbus.ALERT_SEQ) == 1)
    assert plc.inputs(modbus.ALERT_TYPE) == [1]
    assert plc.inputs(modbus.ALERT_VERDICT) == [2]
    until(lambda: sink.status().get("behind") == 2)
    sink.__exit__()
    plc.client.close()
    sink = started(plant, port, acknowledge=True)  # a restart forgets no alert that the PLC has not taken
    plc = Plc(port)
    until(lambda: plc.number(modbus.ALERT_SEQ) == 1)
    plc.write(modbus.ACKNOWLEDGE, 1)
    until(lambda: plc.number(modbus.ALERT_SEQ) == 2)
    assert plc.inputs(modbus.ALERT_TYPE) == [3]
    plc.write(modbus.ACKNOWLEDGE, 2)
    until(lambda: plc.number(modbus.ALERT_SEQ) == 0)
    assert sink.status()["published"] == 2
    sink.__exit__()
    plc.client.close()


def test_a_plc_writes_only_what_is_its_own(sink: Courier, plc: Plc) -> None:
    assert plc.client.write_coil(modbus.REJECT, True, device_id=1).isError()
    assert plc.client.write_registers(4, [1], device_id=1).isError()
    assert plc.client.read_input_registers(1105, count=20, device_id=1).isError()
    assert not plc.coil()
    assert sink.status()["connected"]


def test_rubbish_on_the_port_harms_nobody_else(sink: Courier, plc: Plc, port: int) -> None:
    for rubbish in (b"\x00" * 300, b"GET / HTTP/1.1\r\n\r\n", b"\x00\x01\x00\x00\xff\xff\x01\x03"):
        with socket.create_connection(("127.0.0.1", port)) as other:
            other.sendall(rubbish)
    sink.pass_on("belt", result("OK"))
    until(lambda: plc.number(modbus.RESULTS) == 1)


def test_a_port_that_is_taken_is_told_and_tried_again(plant: Plant) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sink = plant.sink({"kind": "modbus", "port": port})
        sink.__enter__()
        until(lambda: "can't listen" in sink.status()["detail"])
    until(lambda: sink.status()["connected"])
    sink.__exit__()


def test_the_reject_coil_pulses_when_the_part_has_moved_from_camera_to_ejector(plant: Plant, port: int) -> None:
    reject = {"camera": "belt", "distance_mm": 100, "mm_per_count": 0.5, "pulse_s": 2}
    sink = started(plant, port, reject=reject)
    plc = Plc(port)
    plc.write(modbus.ENCODER, 0xFFFF_FFF0)
    until(lambda: plc.number(modbus.ENCODER_SEEN) == 0xFFFF_FFF0)
    now = {"id": 7, "age_s": 0.0}  # seen where the line stands
    sink.pass_on("belt", result("OK", frame=now))
    sink.pass_on("belt", result("NotOK", frame=now))
    until(lambda: plc.number(modbus.RESULTS) == 2)
    plc.write(modbus.ENCODER, 0xFFFF_FFF0 + 199 - (1 << 32))
    until(lambda: plc.number(modbus.ENCODER_SEEN) == 183)
    assert not plc.coil()
    plc.write(modbus.ENCODER, 184)
    until(plc.coil)
    until(lambda: not plc.coil())
    assert plc.number(modbus.LATE) == 0
    sink.__exit__()
    plc.client.close()
