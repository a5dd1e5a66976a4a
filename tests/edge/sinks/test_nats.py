from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING, Any

import nats
import pytest

from edge.follow import Follower
from tests.brokers import RunningBroker, until
from tests.sites import alerts

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from pathlib import Path

    from tests.sites import Plant


class NatsServer(RunningBroker):
    """A real server with JetStream, kept in a folder over restarts."""

    def __init__(self, folder: Path, *more: str) -> None:
        super().__init__()
        program = shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/bin")
        if program is None:
            pytest.fail("these tests need nats-server: apt install nats-server")
        self._command = [program, "-js", "-sd", str(folder), "-a", "127.0.0.1", "-p", str(self.port), *more]
        self.more = more

    def command(self) -> Sequence[str]:
        return self._command

    def stream(self) -> None:
        """Add a stream that takes our subject."""
        self.ask(lambda js: js.add_stream(name="alerts", subjects=["edgeloupe.>"]))

    def messages(self) -> list[dict[str, Any]]:
        async def read(js: Any) -> list[dict[str, Any]]:
            info = await js.stream_info("alerts")
            return [json.loads((await js.get_msg("alerts", n)).data) for n in range(1, info.state.messages + 1)]

        told: list[dict[str, Any]] = self.ask(read)
        return told

    def ask(self, action: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        async def run() -> Any:
            token = {"token": "secret"} if "--auth" in self.more else {}
            client = await nats.connect(f"nats://127.0.0.1:{self.port}", **token)
            try:
                return await action(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(run())


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
    with Follower(plant.site.state_dir / "outbox.sqlite", "it") as follower, follower._transaction() as db:  # noqa: SLF001
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
