from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.crypto.uacrypto import CertProperties

from edge.errors import ConfigError
from edge.outputs.machine_vision import NAMESPACE as VISION
from edge.sinks.opcua import NAMESPACE as OURS
from tests.brokers import free_port, until
from tests.certificates import Authority
from tests.sites import Plant, alerts, result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from edge.outputs.courier import Courier

SIGN_AND_ENCRYPT = ua.MessageSecurityMode.SignAndEncrypt
START_S = 120.0
"""Building the server's address space takes seconds, and many of them where other work runs."""
HEALTH = {
    "ready": True,
    "model": {"name": "leaf"},
    "outbox": {"last_seq": 3, "epoch": "ab"},
    "cameras": {"belt": {"state": "live"}, "press": {"state": "failed"}},
}


class Look:
    """A client's view: nodes by path, where `v:` is OPC 40100-1's namespace and `e:` ours."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def node(self, *path: str) -> Any:
        places = {"v": await self.client.get_namespace_index(VISION), "e": await self.client.get_namespace_index(OURS)}
        steps = [f"{places[step[0]]}:{step[2:]}" if step[1] == ":" and step[0] in places else step for step in path]
        return await self.client.nodes.objects.get_child(steps)

    async def value(self, *path: str) -> Any:
        return await (await self.node(*path)).read_value()


class Ears:
    """What a subscription brought."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.changes: list[Any] = []

    def event_notification(self, event: Any) -> None:
        self.events.append(event)

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        self.changes.append(value)


def look(port: int, action: Callable[[Look], Awaitable[None]], **more: Any) -> None:
    async def run() -> None:
        client = Client(f"opc.tcp://127.0.0.1:{port}/edgeloupe", timeout=60)
        for name, value in more.items():
            getattr(client, f"set_{name}")(value)
        async with client:
            await action(Look(client))

    asyncio.run(run())


async def seen(true: Callable[[], Awaitable[object]]) -> None:
    for _ in range(3000):
        if await true():
            return
        await asyncio.sleep(0.02)
    pytest.fail("waited in vain")


def started(plant: Plant, port: int, **more: Any) -> Courier:
    return plant.sink({"kind": "opcua", "port": port, **more})


@dataclass
class Served:
    plant: Plant
    sink: Courier
    port: int


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for several tests: it takes seconds to build."""
    plant, port = Plant(tmp_path_factory.mktemp("opcua") / "state"), free_port()
    with started(plant, port) as sink:
        until(lambda: sink.status()["connected"], patience_s=START_S)
        yield Served(plant, sink, port)
    plant.outbox.close()


def test_a_client_sees_a_vision_system_with_result_and_state(served: Served) -> None:
    sink = served.sink

    async def act(eyes: Look) -> None:
        vision = await eyes.client.get_namespace_index(VISION)
        system = await eyes.node("v:belt")
        assert await system.read_type_definition() == ua.NodeId(1003, vision)
        await eyes.client.load_data_type_definitions()
        ears = Ears()
        subscription = await eyes.client.create_subscription(20, ears)
        await subscription.subscribe_events(system, eyes.client.get_node(ua.NodeId(1024, vision)))
        sink.set_state(HEALTH)
        told = result(result_id="r-1", part_id="P7")
        sink.pass_on("belt", told)
        sink.pass_on("belt", result("OK", result_id="r-2"))
        await seen(lambda: _len(ears.events, 2))
        assert ears.events[0].ResultId.Id == "r-1"
        newest = await eyes.value("v:belt", "v:ResultManagement", "v:Results", "v:Newest")
        assert (newest.ResultId.Id, newest.IsSimulated, newest.ResultState, newest.PartId) == ("r-2", True, 1, None)
        assert [await eyes.value("v:belt", f"e:{what}") for what in ("Inspected", "OK", "NotOK")] == [2, 1, 1]
        assert await eyes.value("v:belt", "e:ResultEvaluation") == 1
        management = await eyes.node("v:belt", "v:ResultManagement")
        wanted = ua.ResultIdDataType(Id="r-1")
        handle, found, error = await management.call_method(
            f"{vision}:GetResultById", wanted, ua.Variant(0, ua.VariantType.Int32)
        )
        assert (handle, error, found.PartId.Id) == (0, 0, "P7")
        assert json.loads(found.ResultContent[1].Value) == told
        assert found.ProcessingTimes.AcquisitionDuration == pytest.approx(1.0)
        _, _, error = await management.call_method(
            f"{vision}:GetResultById", ua.ResultIdDataType(Id="nobody"), ua.Variant(0, ua.VariantType.Int32)
        )
        assert error != 0
        machine = ("v:belt", "v:VisionStateMachine")
        await seen(lambda: _is(eyes.value(*machine, "CurrentState"), "Operational"))
        assert (await eyes.value(*machine, "v:AutomaticModeStateMachine", "CurrentState")).Text == "ContinuousExecution"
        assert (await eyes.value("v:press", "v:VisionStateMachine", "CurrentState")).Text == "Error"
        assert await eyes.value(*machine, "CurrentState", "Id") == ua.NodeId(5031, vision)

    look(served.port, act)


async def _len(values: list[Any], wanted: int) -> bool:
    return len(values) >= wanted


async def _is(value: Awaitable[Any], text: str) -> bool:
    return bool((await value).Text == text)


def test_alerts_are_events_and_a_client_that_was_away_reads_those_it_missed(served: Served) -> None:
    plant, sink = served.plant, served.sink

    async def act(eyes: Look) -> None:
        ours = await eyes.client.get_namespace_index(OURS)
        device = await eyes.node("e:line-3")
        epoch, told = await device.call_method(
            f"{ours}:ReadAlerts", ua.Variant(1, ua.VariantType.UInt64), ua.Variant(10, ua.VariantType.UInt32)
        )
        assert epoch == plant.outbox.epoch
        assert [alert["seq"] for alert in json.loads(told)] == [2, 3]
        ears = Ears()
        subscription = await eyes.client.create_subscription(20, ears)
        kind = await eyes.client.nodes.base_event_type.get_child(f"{ours}:AlertEventType")
        await subscription.subscribe_events(device, kind)
        plant.commit(*alerts(1, first=9))
        sink.wake()
        await seen(lambda: _len(ears.events, 1))
        assert (ears.events[0].Seq, ears.events[0].AlertId, ears.events[0].Evaluation) == (4, "a9", 2)

    plant.commit(*alerts(3))
    sink.wake()
    until(lambda: sink.status()["published"] == 3)
    look(served.port, act)


def test_only_the_user_who_knows_the_password_gets_in(plant: Plant, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "secret").write_text("open sesame", encoding="utf-8")

    async def nothing(eyes: Look) -> None:
        assert await eyes.value("e:line-3", "e:Ready") is False

    with started(plant, port, username="plc", secret_file=tmp_path / "secret") as sink:
        until(lambda: sink.status()["connected"], patience_s=START_S)
        look(port, nothing, user="plc", password="open sesame")
        for wrong in ({}, {"user": "plc", "password": "x"}, {"user": "admin", "password": "open sesame"}):
            with pytest.raises((ua.UaError, ConnectionError, TimeoutError)):
                look(port, nothing, **wrong)


def test_a_client_can_not_write_what_is_ours(served: Served) -> None:
    async def act(eyes: Look) -> None:
        with pytest.raises(ua.UaError):
            await (await eyes.node("e:line-3", "e:Ready")).write_value(True)

    look(served.port, act)


def test_a_port_that_is_taken_is_told_and_tried_again(plant: Plant) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sink = started(plant, port)
        sink.__enter__()
        until(lambda: "can't listen" in sink.status()["detail"])
    until(lambda: sink.status()["connected"], patience_s=START_S)
    sink.__exit__()


def test_a_username_without_a_password_is_a_mistake(plant: Plant) -> None:
    with pytest.raises(ConfigError, match="has no password"):
        started(plant, 4840, username="plc")


def test_with_a_certificate_only_encrypted_sessions_get_in(plant: Plant, tmp_path: Path) -> None:
    port, authority = free_port(), Authority(tmp_path)
    certificate, key = authority.issue("127.0.0.1", "urn:edgeloupe:line-3")
    theirs = [CertProperties(path, "pem") for path in authority.issue("127.0.0.2", "urn:test:client")]

    async def secure() -> None:
        client = Client(f"opc.tcp://127.0.0.1:{port}/edgeloupe", timeout=60)
        client.application_uri = "urn:test:client"
        await client.set_security(SecurityPolicyBasic256Sha256, *theirs, mode=SIGN_AND_ENCRYPT)
        async with client:
            assert await Look(client).value("e:line-3", "e:Ready") is False

    async def nothing(eyes: Look) -> None: ...

    with started(plant, port, certificate=key, key=certificate) as sink:
        until(lambda: "is no such PEM file" in sink.status()["detail"])
    with started(plant, port, certificate=certificate, key=key) as sink:
        until(lambda: sink.status()["connected"], patience_s=START_S)
        asyncio.run(secure())
        with pytest.raises((ua.UaError, ConnectionError, TimeoutError)):
            look(port, nothing)


def test_the_reject_output_follows_the_encoder_that_only_the_user_writes(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGELOUPE_IT_SECRET", "word")
    port = free_port()
    reject = {"camera": "belt", "distance_mm": 100, "mm_per_count": 0.5, "pulse_s": 0.2}

    async def act(eyes: Look) -> None:
        encoder = await eyes.node("e:line-3", "e:Encoder")
        ears = Ears()
        subscription = await eyes.client.create_subscription(20, ears)
        await subscription.subscribe_data_change(await eyes.node("e:line-3", "e:Reject"))
        await encoder.write_value(1000, ua.VariantType.UInt32)
        await seen(lambda: _equal(eyes.value("e:line-3", "e:EncoderSeen"), 1000))
        sink.pass_on("belt", result("NotOK", frame={"id": 7, "age_s": 0.0}))
        sink.pass_on("belt", result("OK", frame={"id": 8, "age_s": 0.0}))
        await seen(lambda: _equal(eyes.value("v:belt", "e:Inspected"), 2))
        await encoder.write_value(1199, ua.VariantType.UInt32)
        await seen(lambda: _equal(eyes.value("e:line-3", "e:EncoderSeen"), 1199))
        assert True not in ears.changes
        await encoder.write_value(1200, ua.VariantType.UInt32)
        await seen(lambda: _len(ears.changes, 3))
        assert ears.changes == [False, True, False]

    with started(plant, port, reject=reject, username="plc") as sink:
        until(lambda: sink.status()["connected"], patience_s=START_S)
        look(port, act, user="plc", password="word")


async def _equal(value: Awaitable[Any], wanted: object) -> bool:
    return bool(await value == wanted)


def test_rubbish_on_the_port_harms_nobody_else(served: Served) -> None:
    for rubbish in (b"\x00" * 300, b"GET / HTTP/1.1\r\n\r\n", b"HELF" + b"\xff" * 60, b"OPNF\xff\xff\xff\x7f"):
        with socket.create_connection(("127.0.0.1", served.port)) as other:
            other.sendall(rubbish)

    async def act(eyes: Look) -> None:
        assert await eyes.value("e:line-3", "e:LastSeq") >= 0

    look(served.port, act)
    assert served.sink.status()["connected"]
