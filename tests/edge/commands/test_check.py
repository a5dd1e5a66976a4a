"""`edgeloupe check`: the configuration, and everything it names."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import yaml

from tests.brokers import Mosquitto, free_port
from tests.rtsp import RtspServer
from tests.scripted import make_bundle

if TYPE_CHECKING:
    from pathlib import Path


def check(tmp_path: Path, config: dict[str, Any]) -> tuple[int, dict[str, dict[str, Any]]]:
    path = tmp_path / "edgeloupe.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [sys.executable, "-m", "edge.cli", "check", "-c", str(path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert told["ok"] is (done.returncode == 0)
    return done.returncode, {row["what"]: row for row in told["checks"]}


def config(bundle: Path, source: str, port: int) -> dict[str, Any]:
    return {
        "device": "d",
        "model": {"bundle": str(bundle)},
        "cameras": {"c": {"source": source, "first_frame_s": 20}},
        "rules": {"spot": {}},
        "mqtt": {"port": port},
    }


def test_everything_right_is_said_so(tmp_path: Path, scripted_bundle: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        code, rows = check(tmp_path, config(scripted_bundle, "synthetic:plain", broker.port))
    assert code == 0, rows
    assert "self-test IoU 1.000" in rows["model"]["detail"]
    assert rows["camera c"]["detail"] == "synthetic:plain: 320x240"


def test_it_is_told_how_a_large_picture_will_be_looked_at(tmp_path: Path, scripted_bundle: Path) -> None:
    base = config(scripted_bundle, "synthetic:plain", free_port())
    del base["mqtt"]
    camera = base["cameras"]["c"]
    base["cameras"]["c"] = {**camera, "roi": [0, 40, 320, 200], "tiles": {}}
    base["cameras"]["d"] = {**camera, "tiles": {"most": 3}}
    base["cameras"]["e"] = {**camera, "tiles": {}, "cascade": {"bundle": str(tmp_path / "small.loupe")}}
    _, rows = check(tmp_path, base)
    assert rows["camera c"]["detail"] == "synthetic:plain: 320x240, looked at 320x200 at 0, 40 in 6 tiles"
    assert "tiles.most is 3: raise it" in rows["camera d"]["detail"]
    assert "small.loupe" in rows["model"]["detail"]


def test_every_recipe_is_tried(tmp_path: Path, scripted_bundle: Path) -> None:
    base = config(scripted_bundle, "synthetic:plain", free_port())
    del base["mqtt"]
    holes = make_bundle(tmp_path / "holes.loupe", spot="hole")
    base["recipes"] = {
        "plain": {"cameras": {"c": {"zones": {"far": {"outline": [0, 0, 640, 480]}}}}},
        "holes": {"bundle": str(holes)},
    }
    code, rows = check(tmp_path, base)
    assert code == 1
    assert "self-test IoU 1.000" in rows["model of plain"]["detail"]
    assert "recipes.holes.rules.spot: the model has no such class" in rows["model of holes"]["detail"]
    assert "zone far reaches to 640, 480, the picture has 320x240" in rows["camera c"]["detail"]


def test_every_fault_is_one_line(tmp_path: Path, scripted_bundle: Path) -> None:
    code, rows = check(tmp_path, config(tmp_path / "none.loupe", f"v4l2:{tmp_path}/video0", free_port()))
    assert code == 1
    assert not any(row["ok"] for row in rows.values())
    assert all("\n" not in row["detail"] for row in rows.values())
    assert "none.loupe" in rows["model"]["detail"]
    assert "does not exist" in rows["camera c"]["detail"]


def test_a_key_that_can_not_be_read_is_a_fault(tmp_path: Path, scripted_bundle: Path) -> None:
    base = config(scripted_bundle, "synthetic:plain", free_port())
    del base["mqtt"]
    base["web"] = {"key_file": str(tmp_path / "key")}
    code, rows = check(tmp_path, base)
    assert code == 1
    assert rows["dashboard"]["detail"].endswith("No such file or directory: give a file that can be read")
    (tmp_path / "key").write_text("long enough to be a key", encoding="utf-8")
    _, rows = check(tmp_path, base)
    assert rows["dashboard"]["ok"]


def test_a_camera_that_hangs_or_crashes_is_given_up(tmp_path: Path, scripted_bundle: Path) -> None:
    base = config(scripted_bundle, "synthetic:crash", free_port())
    base["cameras"]["d"] = {"source": "synthetic:stall", "first_frame_s": 2}
    del base["mqtt"]
    code, rows = check(tmp_path, base)
    assert code == 1
    assert rows["model"]["ok"]
    assert "ended with exit code 1" in rows["camera c"]["detail"]
    assert rows["camera d"]["detail"] == "gave no answer within 2 s"


def test_a_rule_for_a_class_the_model_lacks_is_a_fault(tmp_path: Path, scripted_bundle: Path) -> None:
    base = config(scripted_bundle, "synthetic:plain", free_port())
    base["rules"] = {"rust": {}}
    del base["mqtt"]
    _, rows = check(tmp_path, base)
    assert rows["model"]["detail"] == "rules.rust: the model has no such class, only good, spot"


def test_sinks_are_tried_and_those_the_daemon_itself_serves_only_looked_at(
    tmp_path: Path, scripted_bundle: Path
) -> None:
    base = config(scripted_bundle, "synthetic:plain", free_port())
    del base["mqtt"]
    base["sinks"] = {
        "erp": {"kind": "webhook", "url": f"http://127.0.0.1:{free_port()}/"},
        "log": {"kind": "file", "folder": str(tmp_path / "out")},
        "plc": {"kind": "modbus", "port": 1},
        "scada": {"kind": "opcua", "username": "plc"},
    }
    code, rows = check(tmp_path, base)
    assert code == 1
    assert rows["sink log"]["detail"] == f"{tmp_path}/out: is there"
    assert "refused" in rows["sink erp"]["detail"]
    assert rows["sink plc"]["ok"]
    assert "has no password" in rows["sink scada"]["detail"]


def test_a_wrong_password_path_port_or_codec_is_told_in_one_line_with_what_to_do(
    tmp_path: Path, scripted_bundle: Path
) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("s3cret", encoding="utf-8")
    wrong.write_text("letmein", encoding="utf-8")
    base = config(scripted_bundle, "synthetic:plain", free_port())
    del base["mqtt"]
    with RtspServer("viewer", "s3cret") as server:
        login = {"first_frame_s": 20, "username": "viewer", "password_file": str(right)}
        base["cameras"] = {
            "right": {"source": server.url("mjpeg"), **login},
            "password": {"source": server.url("mjpeg"), **login, "password_file": str(wrong)},
            "file": {"source": server.url("mjpeg"), **login, "password_file": str(tmp_path / "none")},
            "path": {"source": server.url("nowhere"), **login},
            "codec": {"source": server.url("odd"), **login},
            "port": {"source": f"rtsp://127.0.0.1:{free_port()}/mjpeg", **login},
        }
        code, rows = check(tmp_path, base)
    told = {name: rows[f"camera {name}"]["detail"] for name in base["cameras"]}
    assert code == 1
    assert told["right"].endswith("/mjpeg: 320x240 mjpeg")
    assert told["password"].endswith("user name or password is wrong: mend username and password_file")
    assert told["file"].endswith("none: No such file or directory: give a file that this user may read")
    assert told["path"].endswith("the camera has no stream of this name: mend the path")
    assert told["codec"].endswith("its video can't be decoded: set the camera to H.264, H.265 or MJPEG")
    assert told["port"].endswith("refuses: is this the camera, and is it on?")
    assert not any("\n" in line or "letmein" in line or "s3cret" in line for line in told.values())
