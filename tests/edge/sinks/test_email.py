from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest

from tests.brokers import free_port, until
from tests.certificates import Authority
from tests.peers import Inbox, SmtpServer
from tests.sites import alerts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sites import Plant


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def port(inbox: Inbox) -> Iterator[int]:
    server = SmtpServer(inbox, free_port(), None)
    server.start()
    yield server.port
    server.stop()


def settings(port: int, **more: Any) -> dict[str, Any]:
    people = {"sender": "line3@plant.example", "recipients": ["qa@plant.example", "shift@plant.example"]}
    return {"kind": "email", "host": "127.0.0.1", "port": port, "tls": "none", "every_s": 0.05, **people, **more}


def test_alerts_that_began_make_one_mail_with_their_pictures(plant: Plant, inbox: Inbox, port: int) -> None:
    plant.site.evidence.mkdir(parents=True)
    (plant.site.evidence / "one.jpg").write_bytes(b"\xff\xd8jpeg")
    with plant.sink(settings(port)) as sink:
        until(lambda: sink.status()["connected"])
        new = alerts(2, evidence="one.jpg")
        plant.commit(new[0], {**new[1], "evidence": "gone.jpg"}, *alerts(2, kind="end"))
        sink.wake()
        until(lambda: inbox.mails)
        until(lambda: sink.status()["published"] == 4)
    (mail,) = inbox.mails
    assert mail["Subject"] == "line-3: 2 alerts at belt"
    assert inbox.from_to == [("line3@plant.example", ["qa@plant.example", "shift@plant.example"])]
    text = mail.get_body()
    assert text is not None
    assert text.get_content().count("spot: 1 found, larger than 3 mm²") == 2
    (picture,) = mail.iter_attachments()
    assert (picture.get_content(), picture.get_filename()) == (b"\xff\xd8jpeg", "one.jpg")
    assert mail["X-Edgeloupe-Alerts"] == f"{plant.outbox.epoch} 1-2"


def test_a_mail_waits_for_a_picture_that_follows_its_alert(plant: Plant, inbox: Inbox, port: int) -> None:
    plant.site.evidence.mkdir(parents=True)
    with plant.sink(settings(port)) as sink:
        plant.commit(*alerts(1, evidence="late.jpg"))
        sink.wake()
        until(lambda: sink.status().get("behind") == 1)
        (plant.site.evidence / "late.jpg").write_bytes(b"\xff\xd8late")
        until(lambda: inbox.mails)
    assert [part.get_content() for part in inbox.mails[0].iter_attachments()] == [b"\xff\xd8late"]


def test_ends_and_updates_alone_send_no_mail(plant: Plant, inbox: Inbox, port: int) -> None:
    with plant.sink(settings(port)) as sink:
        plant.commit(*alerts(1, kind="end"), *alerts(1, kind="update"))
        until(lambda: sink.status()["published"] == 2)
    assert inbox.mails == []


def test_a_burst_makes_few_mails(plant: Plant, inbox: Inbox, port: int) -> None:
    with plant.sink(settings(port, every_s=3600)) as sink:
        plant.commit(*alerts(1))
        until(lambda: len(inbox.mails) == 1)
        plant.commit(*alerts(100))
        sink.wake()
        until(lambda: sink.status().get("behind") == 100)
    with plant.sink(settings(port)):  # what waited comes in one, after a restart too
        until(lambda: len(inbox.mails) == 2)
    assert inbox.mails[1]["Subject"] == "line-3: 100 alerts at belt"


def test_a_server_that_is_busy_is_asked_again_and_one_that_is_away_too(plant: Plant, inbox: Inbox, port: int) -> None:
    inbox.answers = ["451 try later", "452 full"]
    with plant.sink(settings(port)) as sink:
        plant.commit(*alerts(1))
        until(lambda: inbox.mails)
        assert sink.status()["refused"] == 0
    away = free_port()
    with plant.sink(settings(away)) as sink:
        until(lambda: "check host, port and tls" in sink.status()["detail"])
        plant.commit(*alerts(1))
        server = SmtpServer(inbox, away, None)
        server.start()
        until(lambda: len(inbox.mails) == 2)
    server.stop()


def test_a_mail_that_is_refused_for_good_does_not_hold_up_the_next(plant: Plant, inbox: Inbox, port: int) -> None:
    inbox.answers = ["550 not wanted"] * 10
    with plant.sink(settings(port)) as sink:
        plant.commit(*alerts(1))
        until(lambda: sink.status()["refused"] == 5)
        plant.commit(*alerts(1))
        until(lambda: inbox.mails)
    assert inbox.mails[0]["X-Edgeloupe-Alerts"].endswith("2-2")


def test_a_mail_too_large_goes_without_its_pictures(plant: Plant, inbox: Inbox, port: int) -> None:
    plant.site.evidence.mkdir(parents=True)
    (plant.site.evidence / "one.jpg").write_bytes(b"\xff\xd8jpeg")
    inbox.answers = ["552 too large"]
    with plant.sink(settings(port)) as sink:
        plant.commit(*alerts(1, evidence="one.jpg"))
        until(lambda: inbox.mails)
        assert sink.status()["refused"] == 0
    assert list(inbox.mails[0].iter_attachments()) == []


def test_over_tls_with_a_password_and_only_to_a_server_that_is_trusted(
    plant: Plant, inbox: Inbox, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("127.0.0.1"))
    server = SmtpServer(inbox, free_port(), context)
    server.start()
    (tmp_path / "secret").write_text("secret\n", encoding="utf-8")
    tls = {"tls": "starttls", "username": "line3", "secret_file": tmp_path / "secret"}
    try:
        with plant.sink(settings(server.port, ca=authority.path, **tls)):
            plant.commit(*alerts(1))
            until(lambda: inbox.mails)
        with plant.sink(settings(server.port, **tls)) as sink:
            until(lambda: "certificate" in sink.status()["detail"].lower())
        wrong = tmp_path / "wrong"
        wrong.write_text("wrong", encoding="utf-8")
        with plant.sink(settings(server.port, ca=authority.path, **{**tls, "secret_file": wrong})) as sink:
            until(lambda: "check tls, username and secret" in sink.status()["detail"])
    finally:
        server.stop()
