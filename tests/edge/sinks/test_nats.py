from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edge.outbox.follow import Follower
from tests.brokers import until
from tests.peers import NatsServer
from tests.sites import alerts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sites import Plant


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "js") as server:
        yield server


def settings(server: NatsServer, **more: Any) -> dict[str, Any]:
    return {"kind": "nats", "servers": [f"nats://127.0.0.1:{server.port}"], **more}


def test_alerts_wait_for_a_stream_and_are_then_kept_in_it_once_each(plant: Plant, server: NatsServer) -> None:
    with plant.sink(settings(server)) as sink:
        plant.commit(*alerts(3))
        until(lambda: "no JetStream stream" in sink.status()["detail"])
        server.stream()
        until(lambda: sink.status()["published"] == 3)
    with Follower(plant.site.state_dir / "outbox.sqlite", "it") as follower, follower._transaction as db:  # noqa: SLF001
        db.execute("UPDATE positions SET seq = 1")  # a power cut made the outbox forget two acknowledgements
    with plant.sink(settings(server)) as sink:
        until(lambda: sink.status()["published"] == 2)
    assert [alert["seq"] for alert in server.messages()] == [1, 2, 3]


def test_a_server_that_is_killed_gets_the_rest_when_it_is_back(plant: Plant, server: NatsServer) -> None:
    server.stream()
    with plant.sink(settings(server)) as sink:
        plant.commit(*alerts(1))
        until(lambda: sink.status()["published"] == 1)
        server.kill()
        plant.commit(*alerts(2))
        sink.wake()
        until(lambda: not sink.status()["connected"])
        server.start()
        until(lambda: sink.status()["published"] == 3)
    assert [alert["seq"] for alert in server.messages()] == [1, 2, 3]


def test_without_the_token_it_says_so(plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with NatsServer(tmp_path / "locked", "--auth", "secret") as server:
        server.stream()
        with plant.sink(settings(server)) as sink:
            until(lambda: "check servers and secret" in sink.status()["detail"])
        monkeypatch.setenv("EDGELOUPE_IT_SECRET", "secret")
        with plant.sink(settings(server)) as sink:
            plant.commit(*alerts(1))
            until(lambda: sink.status()["published"] == 1)
