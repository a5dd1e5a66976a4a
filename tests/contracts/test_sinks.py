"""What every sink must do."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

import edge.sinks
from edge.errors import ConfigError
from edge.sink_config import SinkConfig
from tests.brokers import Mosquitto, free_port, until
from tests.peers import HttpServer, Inbox, KafkaCluster, NatsServer, Rsyslog, SmtpServer, Sshd, Storage
from tests.sites import Plant, alerts, result
from tests.stand_ins.gpio import install_gpio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGES = {
    "modbus": "pymodbus",
    "opcua": "asyncua",
    "gpio": "gpiod",
    "kafka": "confluent_kafka",
    "nats": "nats",
    "s3": "obstore",
    "sftp": "paramiko",
}
MAIL = {"kind": "email", "tls": "none", "every_s": 0.05, "sender": "a@b.example", "recipients": ["c@d.example"]}
SFTP = {"host": "127.0.0.1", "username": "nobody"}
REJECT = {"camera": "belt", "distance_mm": 1, "speed_mm_s": 1000}

each = pytest.mark.parametrize("kind", edge.sinks.KINDS)


@contextlib.contextmanager
def smtp() -> Iterator[int]:
    server = SmtpServer(Inbox(), free_port(), None)
    server.start()
    yield server.port
    server.stop()


@pytest.fixture
def there(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[dict[str, Any], int | None]]:
    """Settings of a sink whose other side is there, and the port of a broker where it needs one."""
    here = {"kind": kind}
    with contextlib.ExitStack() as stack:
        match kind:
            case "webhook":
                port = stack.enter_context(HttpServer(free_port())).port
                yield {**here, "url": f"http://127.0.0.1:{port}"}, None
            case "email":
                yield {**MAIL, "host": "127.0.0.1", "port": stack.enter_context(smtp())}, None
            case "syslog":
                yield {**here, "to": f"tcp://127.0.0.1:{stack.enter_context(Rsyslog(tmp_path)).port}"}, None
            case "file":
                yield {**here, "folder": tmp_path / "out"}, None
            case "modbus" | "opcua":
                yield {**here, "port": free_port()}, None
            case "gpio":
                install_gpio(monkeypatch)
                yield {**here, "line": 17, "reject": REJECT}, None
            case "sparkplug":
                yield {**here, "group": "plant"}, stack.enter_context(Mosquitto(tmp_path)).port
            case "kafka":
                cluster = KafkaCluster()
                yield {**here, "brokers": cluster.brokers, "topic": "alerts"}, None
            case "nats":
                server = stack.enter_context(NatsServer(tmp_path / "js"))
                server.stream()
                yield {**here, "servers": [f"nats://127.0.0.1:{server.port}"]}, None
            case "s3":
                monkeypatch.setenv("EDGELOUPE_IT_SECRET", "s")
                storage = Storage(free_port())
                storage.start("contract")
                stack.callback(storage.stop)
                yield {**here, "bucket": "contract", "endpoint": storage.url, "access_key_id": "k"}, None
            case "sftp":
                sshd = stack.enter_context(Sshd(tmp_path / "sshd"))
                yield {**sshd.settings(), "folder": str(tmp_path / "far")}, None


def away(kind: str, folder: Path, taken: int) -> dict[str, Any]:
    """Settings of a sink whose other side is not there; `taken` is a port that is in use."""
    nobody = f"127.0.0.1:{free_port()}"
    (folder / "in-the-way").touch()
    settings: dict[str, dict[str, Any]] = {
        "webhook": {"url": f"http://{nobody}"},
        "email": {**MAIL, "host": "127.0.0.1", "port": int(nobody.split(":")[1])},
        "syslog": {"to": f"tcp://{nobody}"},
        "file": {"folder": folder / "in-the-way"},
        "modbus": {"port": taken},
        "opcua": {"port": taken},
        "gpio": {"chip": folder / "gpiochip9", "line": 1, "reject": REJECT},
        "sparkplug": {"group": "plant"},
        "kafka": {"brokers": [nobody], "topic": "alerts"},
        "nats": {"servers": [f"nats://{nobody}"]},
        "s3": {"bucket": "evidence", "endpoint": f"http://{nobody}", "access_key_id": "k"},
        "sftp": {**SFTP, "port": nobody.split(":")[1], "known_hosts": folder / "in-the-way"},
    }
    return {"kind": kind, **settings[kind]}


@pytest.fixture
def plant_of(tmp_path: Path) -> Iterator[Callable[[int | None], Plant]]:
    plants: list[Plant] = []

    def make(port: int | None) -> Plant:
        plants.append(Plant(tmp_path / "state", mqtt_port=port))
        return plants[-1]

    yield make
    for plant in plants:
        plant.outbox.close()


@each
def test_every_alert_is_taken_and_the_place_is_kept(
    kind: str, there: tuple[dict[str, Any], int | None], plant_of: Callable[[int | None], Plant]
) -> None:
    settings, port = there
    plant = plant_of(port)
    plant.commit(*alerts(1))  # of before the sink was configured: not its concern
    with plant.sink(settings) as sink:
        until(lambda: sink.status()["connected"], kind, patience_s=120)  # the OPC UA server takes seconds to build
        sink.set_state({"ready": True, "model": {"name": "leaf"}, "cameras": {"belt": {"state": "live"}}})
        sink.pass_on("belt", result("OK"))
        plant.commit(*alerts(3))
        sink.wake()
        until(lambda: sink.status()["published"] == 3, sink.status()["detail"])
    plant.commit(*alerts(2))
    with plant.sink(settings) as sink:
        until(lambda: sink.status()["published"] == 2 and sink.status().get("behind") == 0, kind, patience_s=120)
        assert sink.status()["refused"] == 0
    assert not [thread.name for thread in threading.enumerate() if thread.name in ("sink it", kind)]


@each
def test_another_side_that_is_not_there_is_told_in_one_line_and_loses_nothing(
    kind: str, tmp_path: Path, plant_of: Callable[[int | None], Plant]
) -> None:
    plant = plant_of(free_port())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with plant.sink(away(kind, tmp_path, taken.getsockname()[1])) as sink:
            plant.commit(*alerts(2))
            sink.wake()
            sink.pass_on("belt", result())
            until(lambda: sink.status()["detail"] not in ("starting", "stopped"), kind)
            status = sink.status()
        assert not status["connected"]
        assert status["published"] == 0
        assert "\n" not in status["detail"]
        assert ": " in status["detail"]
    assert [row.seq for row in plant.outbox.pending(9)] == [1, 2]


@pytest.mark.parametrize("kind", sorted(PACKAGES))
def test_a_package_that_is_missing_is_named_with_the_extra_to_install(
    kind: str, tmp_path: Path, plant_of: Callable[[int | None], Plant], monkeypatch: pytest.MonkeyPatch
) -> None:
    package = PACKAGES[kind]
    for name in [*sys.modules]:
        if name.startswith(f"{package}.") or name in (f"edge.sinks.{kind}", "edge.outputs.machine_vision"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"pip install 'edgeloupe\[{kind}\]'") as caught:
        plant_of(None).sink(away(kind, tmp_path, 1))
    assert "\n" not in str(caught.value)


def test_every_kind_has_settings_and_a_file_of_its_own() -> None:
    configured = {get_args(model.model_fields["kind"].annotation)[0] for model in get_args(get_args(SinkConfig)[0])}
    files = {path.stem for path in Path(edge.sinks.__file__).parent.glob("[a-z]*.py")} - {"mqtt"}
    assert configured == files == set(edge.sinks.KINDS)
