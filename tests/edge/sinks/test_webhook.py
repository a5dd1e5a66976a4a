from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest

from edge.errors import ConfigError
from tests.brokers import free_port, until
from tests.peers import HttpServer
from tests.sites import alerts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sites import Plant

KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer(free_port()) as server:
        yield server


def settings(server: HttpServer, **more: Any) -> dict[str, Any]:
    return {"kind": "webhook", "url": f"http://127.0.0.1:{server.port}/alerts?line=3", **more}


def test_every_alert_is_posted_once_in_order_with_its_number(plant: Plant, server: HttpServer) -> None:
    with plant.sink(settings(server)) as sink:
        plant.commit(*alerts(45))
        sink.wake()
        until(lambda: len(server.taken) == 45)
    assert server.taken == list(range(1, 46))
    headers, body = server.requests[0][1:]
    assert headers["webhook-id"] == f"{plant.outbox.epoch}-1"
    assert json.loads(body)["epoch"] == plant.outbox.epoch
    assert "webhook-signature" not in headers


@pytest.mark.parametrize("secret", [KEY.decode(), "whsec_" + base64.b64encode(KEY).decode()])
def test_the_signature_is_the_one_of_standard_webhooks(
    plant: Plant, server: HttpServer, tmp_path: Path, secret: str
) -> None:
    (tmp_path / "secret").write_text(secret + "\n", encoding="utf-8")
    with plant.sink(settings(server, secret_file=tmp_path / "secret")) as sink:
        plant.commit(*alerts(1))
        sink.wake()
        until(lambda: server.taken)
    headers, body = server.requests[0][1:]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.new(KEY, signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()


def test_errors_hang_ups_and_redirects_are_tried_again_until_the_alert_is_taken(
    plant: Plant, server: HttpServer
) -> None:
    server.answers = [500, 0, 302, 429, 204, 503]
    with plant.sink(settings(server)) as sink:
        plant.commit(*alerts(3))
        sink.wake()
        until(lambda: len(server.taken) == 3)
        assert sink.status()["refused"] == 0
    assert server.taken == [1, 2, 3]
    assert len({headers["webhook-id"] for _, headers, _ in server.requests}) == 3


def test_what_is_committed_while_the_server_is_away_comes_when_it_is_back(plant: Plant) -> None:
    port = free_port()
    with plant.sink(settings(HttpServer(port))) as sink:
        until(lambda: "refused" in sink.status()["detail"])
        assert not sink.status()["connected"]
        plant.commit(*alerts(3))
        sink.wake()
        with HttpServer(port) as server:
            until(lambda: len(server.taken) == 3)


def test_an_alert_that_is_refused_for_good_does_not_hold_up_the_next(plant: Plant, server: HttpServer) -> None:
    server.answers = [422] * 5
    with plant.sink(settings(server)) as sink:
        plant.commit(*alerts(2))
        sink.wake()
        until(lambda: server.taken == [2])
        assert sink.status()["refused"] == 5


def test_a_key_that_is_not_base64_is_a_mistake_in_the_configuration(
    plant: Plant, server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGELOUPE_IT_SECRET", "whsec_!")
    with pytest.raises(ConfigError, match="not base64"):
        plant.sink(settings(server))
