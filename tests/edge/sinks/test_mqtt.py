from __future__ import annotations

import datetime as dt
import ipaddress
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge.clock import SystemClock
from edge.config import MqttConfig, TlsConfig
from edge.errors import BrokerError, ConfigError, OutboxError
from edge.mqtt.broker import Broker, Message
from edge.mqtt.link import Backoff, connect
from edge.outbox.outbox import Outbox
from edge.sinks.mqtt import MqttSink, try_broker
from tests.brokers import Amqtt, Ear, Mosquitto, free_port, publish, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from edge.sinks import Sink, SinkStatus

QUICK = Backoff(first_s=0.1, most_s=0.3)
CLOCK = SystemClock()


def alerts(count: int, **more: Any) -> list[Mapping[str, Any]]:
    return [{"camera": "belt", "alert_id": f"a{n}", "type": "new", **more} for n in range(count)]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite", CLOCK) as outbox:
        yield outbox


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, "max_queued_messages 0") as broker:
        yield broker


def make_sink(tmp_path: Path, port: int, **more: Any) -> MqttSink:
    config = MqttConfig(port=port, **more)
    return MqttSink(
        config, device="line3", cameras=["belt"], outbox_path=tmp_path / "outbox.sqlite", clock=CLOCK, backoff=QUICK
    )


def wait_for(sink: MqttSink, text: str) -> SinkStatus:
    until(lambda: text in sink.status()["detail"], f"for a status with {text!r}, not {sink.status()}")
    return sink.status()


def test_the_backlog_is_drained_in_order_and_acknowledged(tmp_path: Path, outbox: Outbox, broker: Mosquitto) -> None:
    outbox.commit(alerts(500))
    with Ear(broker.port, "edgeloupe/+/+/alert") as ear, make_sink(tmp_path, broker.port) as sink:
        ear.listen(lambda: len(ear.heard) >= 500)
        heard = [json.loads(payload) for payload in ear.payloads("edgeloupe/line3/belt/alert")]
        assert [message["seq"] for message in heard] == list(range(1, 501))
        assert {message["epoch"] for message in heard} == {outbox.epoch}
        until(lambda: outbox.pending_count == 0)
        outbox.commit(alerts(1))
        sink.wake()
        ear.listen(lambda: len(ear.heard) >= 501)
        until(lambda: sink.status()["published"] == 501)
        contract: Sink = sink
        status = contract.status()
        assert (status["connected"], status["protocol"], status["in_flight"], status["refused"]) == (True, "5", 0, 0)
    assert not [thread for thread in threading.enumerate() if thread.name == "mqtt"]


def test_everything_retained_stands_after_a_clean_stop_and_says_offline(
    tmp_path: Path, outbox: Outbox, broker: Mosquitto
) -> None:
    outbox.commit(alerts(3))
    with make_sink(tmp_path, broker.port) as sink:
        sink.set_state({"model": {"name": "leaf", "sha256": "ab"}, "ready": True, "reasons": [], "cameras": {}})
        sink.set_verdict("belt", "NotOK")
        sink.set_camera_status("belt", "live")
        until(lambda: outbox.pending_count == 0)
        with Ear(broker.port, "edgeloupe/#", "homeassistant/#") as ear:
            root = "edgeloupe/line3"
            ear.listen(lambda: b"leaf" in b"".join(ear.payloads(f"{root}/state")))
            ear.listen(lambda: ear.payloads(f"{root}/belt/status"))
            ear.listen(lambda: ear.payloads("homeassistant/device/edgeloupe_line3/config"))
            assert ear.payloads(f"{root}/availability") == [b"online"]
            assert ear.payloads(f"{root}/belt/verdict") == [b"NotOK"]
            assert ear.payloads(f"{root}/belt/status") == [b"live"]
            state = json.loads(ear.payloads(f"{root}/state")[-1])
            assert (state["device"], state["epoch"], state["first_seq"], state["last_seq"]) == (
                "line3",
                outbox.epoch,
                1,
                3,
            )
            assert state["model"]["sha256"] == "ab"
            assert state["health"] == {"ready": True, "reasons": []}
            config = json.loads(ear.payloads("homeassistant/device/edgeloupe_line3/config")[0])
            assert config["components"]["belt_verdict"]["state_topic"] == f"{root}/belt/verdict"
    with Ear(broker.port, "edgeloupe/line3/availability") as ear:
        ear.listen(lambda: ear.heard)
        assert ear.payloads("edgeloupe/line3/availability") == [b"offline"]
    assert sink.status()["detail"] == "stopped"


def test_the_state_follows_new_alerts(tmp_path: Path, outbox: Outbox, broker: Mosquitto) -> None:
    with make_sink(tmp_path, broker.port) as sink, Ear(broker.port, "edgeloupe/line3/state") as ear:
        ear.listen(lambda: ear.heard)
        outbox.commit(alerts(7))
        sink.wake()
        ear.listen(lambda: json.loads(ear.heard[-1].payload)["last_seq"] == 7)


def test_a_broker_that_lost_everything_is_told_everything_again(
    tmp_path: Path, outbox: Outbox, broker: Mosquitto
) -> None:
    with make_sink(tmp_path, broker.port) as sink:
        sink.set_verdict("belt", "OK")
        sink.set_camera_status("belt", {"state": "live"})
        wait_for(sink, "connected to")
        broker.kill()  # it has no persistence: its store is empty after this
        wait_for(sink, "connection refused: start the broker")
        assert not sink.status()["connected"]
        sink.set_verdict("belt", "NotOK")
        broker.start()
        with Ear(broker.port, "edgeloupe/line3/#", "homeassistant/#") as ear:
            ear.listen(lambda: ear.payloads("homeassistant/device/edgeloupe_line3/config"))
            ear.listen(lambda: ear.payloads("edgeloupe/line3/belt/status"))
            assert ear.payloads("edgeloupe/line3/availability") == [b"online"]
            assert ear.payloads("edgeloupe/line3/belt/verdict") == [b"NotOK"]
            assert json.loads(ear.payloads("edgeloupe/line3/belt/status")[0]) == {"state": "live"}
            assert ear.payloads("edgeloupe/line3/state")


def test_home_assistant_is_introduced_to_again_when_it_starts(
    tmp_path: Path, outbox: Outbox, broker: Mosquitto
) -> None:
    topic = "homeassistant/device/edgeloupe_line3/config"
    with make_sink(tmp_path, broker.port), Ear(broker.port, topic) as ear:
        ear.listen(lambda: len(ear.heard) == 1)
        publish(broker.port, Message(topic="homeassistant/status", payload=b"online"))
        ear.listen(lambda: len(ear.heard) == 2)


def test_results_and_metrics_pass_without_being_kept(tmp_path: Path, outbox: Outbox, broker: Mosquitto) -> None:
    with make_sink(tmp_path, broker.port) as sink, Ear(broker.port, "edgeloupe/#") as ear:
        sink.set_state({"cameras": {"belt": {"inspected": 5}}})
        wait_for(sink, "connected to")
        ear.listen(lambda: ear.payloads("edgeloupe/line3/metrics"))
        sink.publish_result("belt", {"result_evaluation": "OK"})
        ear.listen(lambda: ear.payloads("edgeloupe/line3/belt/result"))
        assert json.loads(ear.payloads("edgeloupe/line3/belt/result")[0]) == {"result_evaluation": "OK"}
        assert json.loads(ear.payloads("edgeloupe/line3/metrics")[0])["cameras"]["belt"]["inspected"] == 5


def test_a_frozen_broker_costs_results_and_no_memory_and_loses_no_alert(
    tmp_path: Path, outbox: Outbox, broker: Mosquitto
) -> None:
    with make_sink(tmp_path, broker.port) as sink, Ear(broker.port, "edgeloupe/line3/belt/alert") as ear:
        wait_for(sink, "connected to")
        process = broker._process  # noqa: SLF001
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        try:
            big = {"blob": "x" * 500_000}
            outbox.commit(alerts(50))
            sink.wake()
            for _ in range(200):  # 100 MB, where the kernel's buffers take some
                sink.publish_result("belt", big)
                time.sleep(0.002)
            until(lambda: sink.status()["dropped"] > 100)
            assert sink.status()["in_flight"] <= 20
        finally:
            process.send_signal(signal.SIGCONT)
        ear.listen(lambda: len(ear.heard) >= 50)
        until(lambda: outbox.pending_count == 0)


def test_the_will_fires_when_the_process_dies(tmp_path: Path, outbox: Outbox, broker: Mosquitto) -> None:
    code = f"""
import threading
from pathlib import Path
from edge.clock import SystemClock
from edge.config import MqttConfig
from edge.sinks.mqtt import MqttSink
sink = MqttSink(MqttConfig(port={broker.port}), device="line3", cameras=["belt"],
                outbox_path=Path({str(tmp_path / "outbox.sqlite")!r}), clock=SystemClock())
with sink:
    threading.Event().wait()
"""
    with Ear(broker.port, "edgeloupe/line3/availability") as ear:
        child = subprocess.Popen([sys.executable, "-c", code])
        try:
            ear.listen(lambda: ear.heard)
        finally:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        ear.listen(lambda: len(ear.heard) == 2)
        assert [received.payload for received in ear.heard] == [b"online", b"offline"]


def test_a_broker_without_mqtt_5_is_served_with_3_1_1(tmp_path: Path, outbox: Outbox) -> None:
    outbox.commit(alerts(40))
    with Amqtt() as broker, make_sink(tmp_path, broker.port) as sink:
        status = wait_for(sink, "MQTT 3.1.1, which can't tell us about refused alerts")
        assert (status["connected"], status["protocol"]) == (True, "3.1.1")
        until(lambda: outbox.pending_count == 0)
        assert try_broker(MqttConfig(port=broker.port), "line3", 5.0) == f"127.0.0.1:{broker.port}: MQTT 3.1.1"
        with Ear(broker.port, "edgeloupe/line3/#") as ear:
            ear.listen(lambda: ear.payloads("edgeloupe/line3/availability"))


def password_file(folder: Path, **users: str) -> Path:
    path = folder / "passwords"
    path.write_text("".join(f"{name}:{word}\n" for name, word in users.items()))
    subprocess.run(["mosquitto_passwd", "-U", str(path)], check=True)
    return path


def test_a_wrong_password_is_one_clear_line_and_heals_by_itself(
    tmp_path: Path, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.commit(alerts(3))
    secret = tmp_path / "secret"
    secret.write_text("guessed\n")
    caplog.set_level(logging.INFO)
    lines = (f"password_file {password_file(tmp_path, line3='right')}",)
    with Mosquitto(tmp_path, *lines, anonymous=False) as broker:
        access: dict[str, Any] = {"username": "line3", "password_file": secret}
        with pytest.raises(BrokerError, match=r"refused us: Not authorized: check mqtt\.username and the password"):
            try_broker(MqttConfig(port=broker.port, **access), "line3", 5.0)
        with make_sink(tmp_path, broker.port, **access) as sink:
            wait_for(sink, "refused us: Not authorized")
            time.sleep(1.0)  # several more tries
            assert len([r for r in caplog.records if "Not authorized" in r.message]) == 1
            assert "guessed" not in caplog.text
            broker.stop()
            broker.configure(f"password_file {password_file(tmp_path, line3='guessed')}", anonymous=False)
            broker.start()
            wait_for(sink, "connected to")
            until(lambda: outbox.pending_count == 0)


def test_a_publish_that_the_broker_refuses_is_no_delivery(tmp_path: Path, outbox: Outbox) -> None:
    rules = tmp_path / "acl"
    rules.write_text(
        "topic readwrite edgeloupe/line3/#\ntopic deny edgeloupe/line3/belt/alert\ntopic homeassistant/#\n"
    )
    outbox.commit([*alerts(3), {"camera": "press", "alert_id": "b", "type": "new"}])
    with Mosquitto(tmp_path, f"acl_file {rules}") as broker, make_sink(tmp_path, broker.port) as sink:
        status = wait_for(sink, "(3 held back)")
        assert "alert refused by the broker: Not authorized: check its rules for edgeloupe/line3/#" in status["detail"]
        assert status["connected"]
        assert status["refused"] >= 3
        until(lambda: sink.status()["published"] == 1)  # the other camera's
        until(lambda: [row.seq for row in outbox.pending(9)] == [1, 2, 3])
        broker.stop()
        broker.configure()
        broker.start()
        until(lambda: outbox.pending_count == 0)
        wait_for(sink, "connected to")


def test_an_alert_too_large_for_the_broker_does_not_hold_up_the_rest(tmp_path: Path, outbox: Outbox) -> None:
    outbox.commit([*alerts(1, blob="x" * 30_000), *alerts(5)])
    with Mosquitto(tmp_path, "max_packet_size 20000") as broker, make_sink(tmp_path, broker.port) as sink:
        wait_for(sink, "larger than the broker's limit of 20000 bytes")
        until(lambda: [row.seq for row in outbox.pending(9)] == [1])
        assert sink.status()["connected"]


def test_a_picture_too_large_for_the_broker_is_left_out(tmp_path: Path, outbox: Outbox) -> None:
    root = "edgeloupe/line3/belt"
    with (
        Mosquitto(tmp_path, "max_packet_size 20000") as broker,
        make_sink(tmp_path, broker.port) as sink,
        Ear(broker.port, f"{root}/image", f"{root}/alert") as ear,
    ):
        wait_for(sink, "connected to")
        sink.set_image("belt", b"small")
        ear.listen(lambda: ear.payloads(f"{root}/image"))
        sink.set_image("belt", b"x" * 30_000)
        outbox.commit(alerts(5))
        sink.wake()
        ear.listen(lambda: len(ear.payloads(f"{root}/alert")) == 5)
        assert ear.payloads(f"{root}/image") == [b"small"]
        assert sink.status()["connected"]


def test_two_devices_of_one_name_are_told_so() -> None:
    with socket.socket() as broker:
        broker.bind(("127.0.0.1", 0))
        broker.listen()

        def serve() -> None:
            talk, _ = broker.accept()
            with talk:
                talk.recv(1000)
                talk.sendall(b"\x20\x03\x00\x00\x00" + b"\xe0\x02\x8e\x00")  # CONNACK, DISCONNECT session taken over
                talk.recv(1000)

        thread = threading.Thread(target=serve, name="broker")
        thread.start()
        with connect(
            Broker(host="127.0.0.1", port=broker.getsockname()[1]), client_id="twin", clock=CLOCK, session_s=0
        ) as link:

            def listen() -> None:
                while True:
                    link.pump(0.1)

            with pytest.raises(BrokerError, match="another client took over: give every device its own name"):
                listen()
        thread.join()


def test_a_retained_or_broken_command_is_survived(tmp_path: Path, outbox: Outbox, broker: Mosquitto) -> None:
    outbox.commit(alerts(1))
    topic = "edgeloupe/line3/cmd/replay"
    publish(broker.port, Message(topic=topic, payload=b'{"correlation":"old"}', retain=True))
    with make_sink(tmp_path, broker.port), Ear(broker.port, "edgeloupe/line3/reply/#") as ear:
        until(lambda: outbox.pending_count == 0)
        commands = [
            b"",
            b"\xff\xfe",
            b"[]",
            b'{"correlation":"../state"}',
            b'{"epoch":"e","first_seq":0,"last_seq":1,"correlation":"zero"}',
            b'{"epoch":"e","first_seq":5,"last_seq":1,"correlation":"backwards"}',
            b'{"epoch":"e","first_seq":1,"last_seq":1,"correlation":"stranger"}',
            f'{{"epoch":"{outbox.epoch}","first_seq":1,"last_seq":99,"correlation":"good"}}'.encode(),
        ]
        for command in commands:
            publish(broker.port, Message(topic=topic, payload=command))
        ear.listen(lambda: ear.payloads("edgeloupe/line3/reply/good"))
        told = {received.topic.rpartition("/")[2]: json.loads(received.payload) for received in ear.heard}
        assert set(told) == {"zero", "backwards", "stranger", "good"}
        assert "greater than or equal to 1" in told["zero"]["error"]
        assert told["backwards"]["error"] == "Value error, last_seq is below first_seq"
        assert told["stranger"]["error"] == "unknown epoch"
        assert told["good"] == {
            "schema": "edgeloupe.reply/1",
            "verb": "replay",
            "correlation": "good",
            "epoch": outbox.epoch,
            "first_seq": 1,
            "last_seq": 1,
            "replayed": 1,
            "missing": [],
            "error": None,
        }


def test_a_book_that_can_not_be_opened_costs_commands_and_no_alert(
    tmp_path: Path, outbox: Outbox, broker: Mosquitto
) -> None:
    (tmp_path / "audit.sqlite").mkdir()
    outbox.commit(alerts(3))
    with Ear(broker.port, "edgeloupe/line3/reply/#") as ear:
        with make_sink(tmp_path, broker.port, open_commands=["stop", "replay"]) as sink:
            until(lambda: outbox.pending_count == 0)
            publish(broker.port, Message(topic="edgeloupe/line3/cmd/stop", payload=b'{"correlation":"c1"}'))
            ear.listen(lambda: ear.heard)
            assert sink.orders() == []
        assert "can't be written down" in json.loads(ear.heard[0].payload)["error"]


def test_alerts_carry_properties_for_those_who_route_without_reading(
    tmp_path: Path, outbox: Outbox, broker: Mosquitto
) -> None:
    outbox.commit(alerts(1))
    with Ear(broker.port, "edgeloupe/+/+/alert") as ear, make_sink(tmp_path, broker.port):
        told: list[Any] = []
        ear._link._client.on_message = lambda client, userdata, message: told.append(message.properties)  # noqa: SLF001
        ear.listen(lambda: told)
        assert told[0].UserProperty == [("epoch", outbox.epoch), ("type", "new")]


def test_mqtt_5_response_topic_and_correlation_are_honoured(tmp_path: Path, outbox: Outbox, broker: Mosquitto) -> None:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ResponseTopic = "scada/answers"
    properties.CorrelationData = b"\x00\x01"
    request = json.dumps({"epoch": outbox.epoch, "first_seq": 1, "last_seq": 1}).encode()
    with make_sink(tmp_path, broker.port) as sink, Ear(broker.port, "scada/#") as ear:
        wait_for(sink, "connected to")
        ear._link._client.publish("edgeloupe/line3/cmd/replay", request, 1, False, properties)  # noqa: SLF001
        ear.listen(lambda: ear.heard)
        assert ear.heard[0].correlation == b"\x00\x01"
        assert json.loads(ear.heard[0].payload)["replayed"] == 0


def test_starting_without_an_outbox_or_password_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="does not exist"), make_sink(tmp_path, 1883):
        pass
    with (
        Outbox(tmp_path / "outbox.sqlite", CLOCK),
        pytest.raises(ConfigError, match="password_file"),
        make_sink(tmp_path, 1883, username="a", password_file=tmp_path / "nothing"),
    ):
        pass


@pytest.mark.parametrize(("secret", "why"), [(None, "No such file"), ("short", "shorter than 16 bytes")])
def test_an_operator_without_a_good_secret_is_an_error(
    tmp_path: Path, outbox: Outbox, secret: str | None, why: str
) -> None:
    if secret is not None:
        (tmp_path / "key").write_text(secret, encoding="utf-8")
    operators = {"anna": {"key_file": tmp_path / "key", "verbs": ["stop"]}}
    with pytest.raises(ConfigError, match=why), make_sink(tmp_path, 1883, operators=operators):
        pass
    with pytest.raises(ConfigError, match=why):
        try_broker(MqttConfig.model_validate({"operators": operators}), "line3", 1.0)


def test_something_that_is_no_broker_is_named_so() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with pytest.raises(BrokerError, match="no MQTT answer in time"):
            try_broker(MqttConfig(port=deaf.getsockname()[1]), "line3", 1.0)
    with pytest.raises(BrokerError, match=r"connection refused: start the broker, or mend mqtt\.host"):
        try_broker(MqttConfig(port=free_port()), "line3", 1.0)
    with pytest.raises(BrokerError, match="no such host"):
        try_broker(MqttConfig(host="no.such.host.invalid"), "line3", 1.0)


def issue(folder: Path, name: str, by: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None) -> TlsConfig:
    """Make a certificate, by an authority or as one; give where it lies, with the authority's place in `ca`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by[0].subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    )
    certificate = builder.sign(by[1] if by else key, hashes.SHA256())
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return TlsConfig(certificate=paths[0], key=paths[1])


def authority(folder: Path, name: str) -> tuple[Path, tuple[x509.Certificate, ec.EllipticCurvePrivateKey]]:
    made = issue(folder, name)
    assert made.certificate is not None
    assert made.key is not None
    key = serialization.load_pem_private_key(made.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return made.certificate, (x509.load_pem_x509_certificate(made.certificate.read_bytes()), key)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho drops a socket that failed
def test_tls_delivers_to_the_right_broker_and_names_what_is_wrong(tmp_path: Path, outbox: Outbox) -> None:
    outbox.commit(alerts(100, blob="x" * 5000))
    ca, signer = authority(tmp_path, "ca")
    other_ca, _ = authority(tmp_path, "other")
    server, device = issue(tmp_path, "server", signer), issue(tmp_path, "line3", signer)
    listener = f"cafile {ca}\ncertfile {server.certificate}\nkeyfile {server.key}\nrequire_certificate true"
    with Mosquitto(tmp_path, "max_queued_messages 0", listener=listener) as broker:
        good = TlsConfig(ca=ca, certificate=device.certificate, key=device.key)
        with make_sink(tmp_path, broker.port, tls=good) as sink:
            wait_for(sink, "connected to")
            until(lambda: outbox.pending_count == 0)
        wrong = {
            "certificate is not trusted: .*give its authority in mqtt.tls.ca": TlsConfig(
                ca=other_ca, certificate=device.certificate, key=device.key
            ),
            "if it wants a certificate of ours, set mqtt.tls.certificate": TlsConfig(ca=ca),  # the broker wants ours
        }
        for message, tls in wrong.items():
            with pytest.raises(BrokerError, match=message):
                try_broker(MqttConfig(port=broker.port, tls=tls), "line3", 5.0)
        with pytest.raises(BrokerError, match="Hostname mismatch"):  # the certificate names 127.0.0.1 only
            try_broker(MqttConfig(host="localhost", port=broker.port, tls=good), "line3", 5.0)
        with pytest.raises(ConfigError, match="give readable PEM files that match"):
            try_broker(MqttConfig(port=broker.port, tls=TlsConfig(ca=tmp_path / "nothing.crt")), "line3", 5.0)
        with pytest.raises(BrokerError):
            try_broker(MqttConfig(port=broker.port), "line3", 2.0)
