from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.brokers import until
from tests.peers import SFTP_SERVER, PasswordSshd, Sshd, ssh_key
from tests.sites import alerts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sites import Plant

FILES: dict[str, Any] = {"evidence": "d/1.jpg", "mask": "d/1.mask.png", "overlay": "d/1.o.jpg", "clip": "d/1.mp4"}
MANY = 12 << 20
"""Bytes that take a while."""


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path / "sshd") as server:
        yield server


def settings(sshd: Sshd, folder: Path, **more: Any) -> dict[str, Any]:
    return {**sshd.settings(), "folder": str(folder), **more}


def keep(folder: Path, name: str, data: bytes) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def test_files_and_the_alert_that_names_them_lie_in_the_folder(plant: Plant, sshd: Sshd, tmp_path: Path) -> None:
    far = tmp_path / "plant" / "line-3"
    with plant.sink(settings(sshd, far, clips=True)) as sink:
        plant.commit(*alerts(1, **FILES), *alerts(1))
        sink.wake()
        until(lambda: sink.status().get("behind") == 2)
        for name in FILES.values():
            keep(plant.site.evidence, name, name.encode() * 20_000)
        until(lambda: sink.status()["published"] == 2, sink.status()["detail"])
    assert all((far / "evidence" / name).read_bytes() == name.encode() * 20_000 for name in FILES.values())
    told = [json.loads((far / f"alerts/{plant.outbox.epoch}/{seq:012d}.json").read_text("utf-8")) for seq in (1, 2)]
    assert [alert["evidence"] for alert in told] == ["d/1.jpg", None]
    assert len([path for path in far.rglob("*") if path.is_file()]) == 6


def test_an_upload_that_was_cut_off_goes_on_where_it_broke(plant: Plant, sshd: Sshd, tmp_path: Path) -> None:
    keep(plant.site.evidence, "d/1.jpg", b"\xff" * MANY)
    partial = tmp_path / "far/evidence/d/1.jpg.partial"
    with plant.sink(settings(sshd, tmp_path / "far")) as sink:
        plant.commit(*alerts(1, evidence="d/1.jpg"))
        sink.wake()
        until(lambda: partial.is_file() and partial.stat().st_size > 1 << 20)
        sshd.kill()
        until(lambda: not sink.status()["connected"])
        assert "\n" not in sink.status()["detail"]
        assert (1 << 20) < partial.stat().st_size < MANY
        with partial.open("r+b") as file:
            file.write(b"before")  # whoever began anew would write over it
        sshd.start()
        until(lambda: sink.status()["published"] == 1, patience_s=120)
    assert (tmp_path / "far/evidence/d/1.jpg").read_bytes() == b"before" + b"\xff" * (MANY - 6)
    assert not partial.exists()


def test_a_full_disk_is_told_and_the_upload_goes_on_when_there_is_room(
    plant: Plant, sshd: Sshd, tmp_path: Path
) -> None:
    keep(plant.site.evidence, "d/1.jpg", b"\xff" * (4 << 20))
    sshd.kill()
    sshd.configure(f"trap '' XFSZ; ulimit -f 2048; exec {SFTP_SERVER}")  # writes fail above 2 MiB, or 1
    sshd.start()
    with plant.sink(settings(sshd, tmp_path / "far")) as sink:
        plant.commit(*alerts(1, evidence="d/1.jpg"))
        until(lambda: "space and rights in the folder" in sink.status()["detail"])
        assert sink.status()["published"] == 0
        assert not (tmp_path / "far/evidence/d/1.jpg").exists()
        sshd.kill()
        sshd.configure()
        sshd.start()
        until(lambda: sink.status()["published"] == 1)
    assert (tmp_path / "far/evidence/d/1.jpg").read_bytes() == b"\xff" * (4 << 20)


def test_a_server_with_another_key_gets_nothing(plant: Plant, sshd: Sshd, tmp_path: Path) -> None:
    sshd.trust(ssh_key(tmp_path / "other"))
    with plant.sink(settings(sshd, tmp_path / "far")) as sink:
        plant.commit(*alerts(1))
        until(lambda: "known_hosts" in sink.status()["detail"])
        assert "does not match" in sink.status()["detail"]
        assert not (tmp_path / "far").exists()
        sshd.known_hosts.write_text("elsewhere ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43, encoding="ascii")
        until(lambda: "not found in known_hosts" in sink.status()["detail"])


def test_a_key_that_is_not_let_in_is_told_in_one_line(plant: Plant, sshd: Sshd, tmp_path: Path) -> None:
    with plant.sink(settings(sshd, tmp_path / "far", key_file=ssh_key(tmp_path / "other"))) as sink:
        until(lambda: "Authentication failed" in sink.status()["detail"])
        assert "\n" not in sink.status()["detail"]


def test_a_key_with_a_passphrase_opens_with_the_secret(
    plant: Plant, sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(sshd.key)], check=True)
    with plant.sink(settings(sshd, tmp_path / "far")) as sink:
        until(lambda: "sinks.it.key_file" in sink.status()["detail"])
    monkeypatch.setenv("EDGELOUPE_IT_SECRET", "open sesame")
    with plant.sink(settings(sshd, tmp_path / "far")) as sink:
        until(lambda: sink.status()["connected"])


def test_a_password_opens_where_there_is_no_key(plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(plant.site.evidence, "d/1.jpg", b"picture" * 50_000)
    with PasswordSshd(tmp_path / "sshd", "open sesame") as server:
        told = {**server.settings(), "folder": str(tmp_path / "far")}
        monkeypatch.setenv("EDGELOUPE_IT_SECRET", "open says me")
        with plant.sink(told) as sink:
            until(lambda: "Authentication failed" in sink.status()["detail"])
        monkeypatch.setenv("EDGELOUPE_IT_SECRET", "open sesame")
        with plant.sink(told) as sink:
            plant.commit(*alerts(1, evidence="d/1.jpg"))
            sink.wake()
            until(lambda: sink.status()["published"] == 1, sink.status()["detail"])
    assert (tmp_path / "far/evidence/d/1.jpg").read_bytes() == b"picture" * 50_000


def test_a_password_that_is_wrong_is_told_in_one_line(plant: Plant, sshd: Sshd, tmp_path: Path) -> None:
    with plant.sink(settings(sshd, tmp_path / "far", key_file=None)) as sink:
        until(lambda: "Authentication failed" in sink.status()["detail"])


@pytest.mark.parametrize("setting", ["key_file", "known_hosts"])
def test_a_file_that_can_not_be_read_is_named(plant: Plant, sshd: Sshd, tmp_path: Path, setting: str) -> None:
    with plant.sink(settings(sshd, tmp_path / "far", **{setting: tmp_path / "nowhere"})) as sink:
        until(lambda: f"sinks.it.{setting} = {tmp_path / 'nowhere'}: " in sink.status()["detail"])
        assert "\n" not in sink.status()["detail"]
