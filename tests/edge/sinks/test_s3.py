from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.brokers import free_port, until
from tests.peers import Storage
from tests.sites import alerts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sites import Plant


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    monkeypatch.setenv("EDGELOUPE_IT_SECRET", "s")
    storage = Storage(free_port())
    storage.start("evidence")
    yield storage
    storage.stop()


def settings(storage: Storage, **more: Any) -> dict[str, Any]:
    return {"kind": "s3", "bucket": "evidence", "endpoint": storage.url, "access_key_id": "k", **more}


def keep(folder: Path, name: str, data: bytes) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def test_the_picture_and_the_alert_that_names_it_lie_in_the_bucket(plant: Plant, storage: Storage) -> None:
    keep(plant.site.evidence, "2026-11-21/08/belt/1.jpg", b"\xff\xd8" * 4_000_000)  # large enough to go in parts
    with plant.sink(settings(storage, prefix="line-3/")) as sink:
        plant.commit(*alerts(1, evidence="2026-11-21/08/belt/1.jpg"), *alerts(1, evidence="gone.jpg"), *alerts(1))
        until(lambda: sink.status()["published"] == 3)
    found = storage.objects("evidence")
    assert found["line-3/evidence/2026-11-21/08/belt/1.jpg"] == b"\xff\xd8" * 4_000_000
    names = [f"line-3/alerts/{plant.outbox.epoch}/{seq:012d}.json" for seq in (1, 2, 3)]
    assert set(found) == {"line-3/evidence/2026-11-21/08/belt/1.jpg", *names}
    assert json.loads(found[names[0]])["evidence"] == "2026-11-21/08/belt/1.jpg"


def test_a_picture_that_follows_its_alert_is_waited_for_and_its_mask_and_clip_go_with_it(
    plant: Plant, storage: Storage
) -> None:
    files: dict[str, Any] = {
        "evidence": "d/1.jpg",
        "mask": "d/1.mask.png",
        "overlay": "d/1.overlay.jpg",
        "clip": "d/1.mp4",
    }
    with plant.sink(settings(storage, clips=True)) as sink:
        plant.commit(*alerts(1, **files))
        sink.wake()
        until(lambda: sink.status().get("behind") == 1)
        for name in files.values():
            keep(plant.site.evidence, name, name.encode())
        until(lambda: sink.status()["published"] == 1)
    found = storage.objects("evidence")
    assert {name: found[f"evidence/{name}"] for name in files.values()} == {v: v.encode() for v in files.values()}


def test_what_was_committed_while_the_storage_was_away_is_uploaded_when_it_is_back(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGELOUPE_IT_SECRET", "s")
    storage = Storage(free_port())
    with plant.sink(settings(storage, bucket="later")) as sink:
        until(lambda: "check endpoint, bucket, keys" in sink.status()["detail"])
        plant.commit(*alerts(2))
        storage.start("later")
        until(lambda: sink.status()["published"] == 2)
        assert len(storage.objects("later")) == 2
    storage.stop()


def test_a_bucket_that_does_not_exist_is_told_in_one_line(plant: Plant, storage: Storage) -> None:
    with plant.sink(settings(storage, bucket="nowhere")) as sink:
        plant.commit(*alerts(1))
        until(lambda: "bucket nowhere" in sink.status()["detail"])
        assert "\n" not in sink.status()["detail"]
        assert not sink.status()["connected"]
