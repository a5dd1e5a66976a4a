"""Cameras in a running daemon: a real network camera that fails, clocks that jump, videos, pictures that are sent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import av
import cv2
import httpx
import numpy as np

from tests.brokers import Mosquitto, free_port, publish, until
from tests.rtsp import RtspServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.appliance import Appliance

TEN_YEARS_S = 315_360_000
JUMPING = """
import os, pathlib, time
real, jump = time.time, pathlib.Path(os.environ["JUMP_S"])
time.time = lambda: real() + float(jump.read_text() or 0)
"""
"""Lets the wall's clock of every process of a daemon jump; libfaketime breaks Python's sleep."""


def state(appliance: Appliance) -> object:
    return appliance.camera().get("state")


def test_a_network_camera_that_freezes_or_dies_comes_back_by_itself(start: Callable[..., Appliance]) -> None:
    with RtspServer() as server:
        appliance = start(server.url("h264"))
        appliance.wait_for(lambda: state(appliance) == "live")
        server.freeze()
        appliance.wait_for(lambda: state(appliance) == "stalled")
        server.thaw()
        appliance.wait_for(lambda: state(appliance) == "live")
        server.kill()
        appliance.wait_for(lambda: state(appliance) == "failed")
        before = appliance.camera()["inspected"]
        server.start()
        appliance.wait_for(lambda: state(appliance) == "live")
        appliance.wait_for(lambda: appliance.camera()["inspected"] > before)
        assert appliance.alerts() == []


def test_a_wrong_password_is_told_and_others_go_on(start: Callable[..., Appliance]) -> None:
    with RtspServer("viewer", "secret") as server:
        others = {"d": {"source": "synthetic:plain", "loop": True, "fps": 10}}
        appliance = start(server.url("h264"), others=others)
        appliance.wait_for(lambda: state(appliance) == "refused")
        assert appliance.camera()["detail"].endswith("mend username and password_file")
        appliance.wait_for(lambda: appliance.camera("d").get("inspected", 0) > 3)


def test_the_daemon_starts_whatever_is_wrong_with_a_camera_and_keeps_trying(start: Callable[..., Appliance]) -> None:
    late, server = RtspServer(), RtspServer()
    with server:
        others = {"path": {"source": server.url("nowhere")}, "codec": {"source": server.url("odd")}}
        appliance = start(late.url("h264"), others=others)
        for name, said in (("c", "is it on?"), ("path", "mend the path"), ("codec", "H.264, H.265 or MJPEG")):
            appliance.wait_for(lambda name=name: appliance.camera(name).get("state") == "failed")  # type: ignore[misc]
            assert appliance.camera(name)["detail"].endswith(said)
        with late:
            appliance.wait_for(lambda: appliance.camera().get("inspected"))


def test_the_clock_of_the_wall_may_jump_by_ten_years_and_nothing_changes(
    start: Callable[..., Appliance], tmp_path: Path
) -> None:
    jump_s = tmp_path / "jump"
    jump_s.write_text("0", encoding="ascii")
    (tmp_path / "sitecustomize.py").write_text(JUMPING, encoding="utf-8")
    env = {"PYTHONPATH": str(tmp_path), "JUMP_S": str(jump_s)}
    appliance = start("synthetic:plain", loop=True, fps=10, env=env)
    appliance.wait_for(lambda: appliance.camera().get("inspected", 0) > 3)
    for jump in (TEN_YEARS_S, -TEN_YEARS_S, 0):
        jump_s.write_text(str(jump), encoding="ascii")
        before = appliance.camera()
        appliance.wait_for(lambda before=before: appliance.camera()["inspected"] > before["inspected"] + 10)  # type: ignore[misc]
        after = appliance.camera()
        assert after["state"] == "live"
        assert after["frame_age_s"] < 2
        assert after["troubles"] == {}
        assert after["restarts"] == 0
        assert after["verdicts"]["NotDecidable"] == 0


def test_an_alert_brings_the_seconds_around_it(start: Callable[..., Appliance], tmp_path: Path) -> None:
    script = ",".join(["plain"] * 40 + ["red"] * 3 + ["plain"] * 400)
    appliance = start(f"synthetic:{script}", fps=10, clip={"before_s": 1, "after_s": 1, "fps": 10})
    appliance.wait_for(lambda: len(appliance.alerts()) == 2)
    new = appliance.alerts()[0]
    assert new["clip"] == new["evidence"].replace(".jpg", ".mp4")
    clip = tmp_path / "state" / "evidence" / new["clip"]
    until(clip.exists, "for the video")
    with av.open(str(clip)) as video:
        pixels = [frame.to_ndarray(format="bgr24")[100, 140].tolist() for frame in video.decode(video=0)]
    red = [r > 180 and b < 90 for b, _, r in pixels]
    assert 12 <= len(red) <= 32
    assert True in red
    assert red[0] is False
    assert red[-1] is False


def test_a_posted_picture_is_judged_and_one_verdict_told(start: Callable[..., Appliance]) -> None:
    url = f"http://127.0.0.1:{free_port()}/table"
    appliance = start(f"push:{url}", alert_per="part")
    appliance.wait_for(lambda: state(appliance) == "waiting")
    picture = np.full((240, 320, 3), 128, np.uint8)
    picture[80:140, 100:180] = (0, 0, 255)
    answer = httpx.post(url, content=cv2.imencode(".png", picture)[1].tobytes())
    assert answer.status_code == 204
    appliance.wait_for(lambda: len(appliance.alerts()) == 2)
    appliance.wait_for(lambda: appliance.camera()["verdicts"] == {"OK": 0, "NotOK": 1, "NotDecidable": 0})


def test_a_message_wants_one_verdict_of_the_worst_of_three(start: Callable[..., Appliance], tmp_path: Path) -> None:
    from edge.mqtt.broker import Message

    with Mosquitto(tmp_path) as broker:
        appliance = start(
            "synthetic:plain,red,plain",
            loop=True,
            fps=20,
            trigger={"kind": "mqtt"},
            burst=3,
            pick="worst",
            alert_per="part",
            mqtt={"port": broker.port},
        )
        appliance.wait_for(lambda: state(appliance) == "live" and appliance.health()["mqtt"]["connected"])
        until(lambda: _pull(broker.port, Message(topic="edgeloupe/test/c/trigger/set", payload=b""), appliance))
        time.sleep(1)
        verdicts = appliance.camera()["verdicts"]
        assert verdicts["NotOK"] == appliance.camera()["inspected"], "of each three one is red"
        assert verdicts["OK"] == 0


def _pull(port: int, message: object, appliance: Appliance) -> bool:
    from edge.mqtt.broker import Message

    assert isinstance(message, Message)
    publish(port, message)
    time.sleep(0.3)
    return bool(appliance.camera()["inspected"])
