"""Every part of the report is there and makes sense, on little work; how long things take is not asked."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from edge.bench.html import html
from edge.bench.parts import bench, tells_instances
from edge.bench.rig import draw
from edge.bench.site import Plan
from edge.bench.text import text
from edge.bundle import open_bundle
from edge.demo.appliance import BUNDLE, PICTURES
from edge.errors import BrokerError, BundleError
from edge.mask import Mask
from edge.regions import regions
from tests.scripted import make_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from edge.bench.figures import Report

TINY = Plan(
    size=(320, 180),
    clip_frames=30,
    frames=20,
    window_s=1.0,
    throughput=True,
    regions=(0, 9),
    sizes=((160, 90),),
    cameras=(1, 2),
)
STAGES = [
    "read and decode",
    "share",
    "prepare",
    "infer",
    "look and judge",
    "commit",
    "publish",
    "show",
]


def measure(plan: Plan, source: str | None = None) -> Report:
    return bench(BUNDLE, pictures=PICTURES, source=source, threads=1, plan=plan, command="edgeloupe bench")


@pytest.fixture(scope="module")
def report() -> Report:
    return measure(TINY)


def test_nothing_is_left_out_where_everything_is_there(report: Report) -> None:
    assert report.notes == []


def test_frames_are_measured_in_memory_and_from_both_kinds_of_video(report: Report) -> None:
    assert [row.frames_from for row in report.rows] == ["1080p decoded", "1080p H.264", "1080p MJPEG"]
    for row in report.rows:
        assert (row.width, row.height, row.frames) == (320, 180, 20)
        assert min(row.whole_cpu_ms, row.raw_cpu_ms, row.whole_wall_ms, row.raw_wall_ms) > 0
        assert row.ratio >= row.ratio_decoded > 0
        assert [stage.name for stage in row.stages] == STAGES
        assert sum(stage.cpu_ms for stage in row.stages) >= 0.99 * row.whole_cpu_ms
        assert [stage.name for stage in row.stages if stage.wall_ms is None] == ["publish"]


def test_a_network_that_keeps_objects_apart_in_large_pictures_has_goals_of_its_own(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "apart.loupe", size=(640, 640), borders=True)
    plan = Plan(size=(320, 180), clip_frames=30, frames=10, window_s=0.2, viewers=())
    found = bench(bundle, pictures=PICTURES, source=None, threads=1, plan=plan, command="")
    assert [row.frames_from for row in found.rows] == [
        "1080p decoded", "1080p H.264", "1080p H.264 shown", "1080p MJPEG",
    ]  # fmt: skip
    assert max(found.rows, key=lambda row: row.stages[-1].cpu_ms).frames_from == "1080p H.264 shown"
    assert [goal.goal for goal in found.goals] == ["at most 1.1", "at most 1.15"]
    assert "640x640" in text(found)


def test_smaller_ones_and_those_without_borders_have_the_goals_of_the_reference_network(tmp_path: Path) -> None:
    small = make_bundle(tmp_path / "small.loupe", borders=True)
    plain = make_bundle(tmp_path / "plain.loupe", size=(640, 640))
    assert not any(tells_instances(open_bundle(path).manifest) for path in (small, plain))


def test_objects_that_touch_are_one_blob_but_for_the_borders_between_them() -> None:
    plane, seams = draw(320, 320, 4, touching=True)
    mask = Mask(classes=plane, scores=plane * 255, frame_width=640, frame_height=640)
    assert [len(regions(one, ("good", "spot"), ("spot",))) for one in (mask, replace(mask, borders=seams))] == [1, 4]


def test_an_alert_is_followed_from_the_frame_to_the_subscriber(report: Report) -> None:
    by_name = {spread.name: spread for spread in report.latency}
    order = ["of it inference", "frame to verdict", "frame to commit begun", "frame to subscriber"]
    medians = [by_name[name].p50_ms for name in order]
    assert medians == sorted(medians)
    assert {"one durable commit", "of it the flush (fdatasync)"} <= set(by_name)
    for spread in report.latency:
        assert 0 < spread.p50_ms <= spread.p90_ms <= spread.p99_ms <= spread.max_ms
        assert spread.count >= 5


def test_the_running_daemon_is_weighed_process_by_process(report: Report) -> None:
    assert report.daemon is not None
    assert {"core", "worker", "web", "camera c"} <= set(report.daemon.memory_mb)
    assert all(memory > 1 for name, memory in report.daemon.memory_mb.items() if name != "others")
    assert 0 < report.daemon.start_cpu_s < 60
    assert report.daemon.start_wall_s > 0


def test_nothing_is_prepared_for_viewers_while_there_are_none(report: Report) -> None:
    assert report.daemon is not None
    assert report.daemon.views_unseen == 0


def test_growth_is_measured(report: Report) -> None:
    assert report.throughput is not None
    assert report.throughput.whole_fps > 0
    assert [one.viewers for one in report.viewers] == [0, 1]
    assert [one.shown_fps > 0 for one in report.viewers] == [False, True]
    assert [one.cameras for one in report.cameras] == [1, 2]
    assert all(one.inspected_fps > 0 and one.memory_mb > 10 for one in report.cameras)
    assert [one.name for one in report.regions] == ["0 regions", "9 regions"]
    assert [one.name for one in report.sizes] == ["160x90"]
    assert all(one.whole_cpu_ms > 0 for one in (*report.regions, *report.sizes))


def test_each_goal_stands_beside_what_was_measured(report: Report) -> None:
    asked = " / ".join(goal.what for goal in report.goals)
    words = ("decoded", "H.264", "MJPEG", "p50", "p99", "memory", "first verdict", "viewer", "throughput", "regions")
    for word in words:
        assert word in asked
    assert all(goal.measured and goal.goal for goal in report.goals)


def test_the_report_is_told_as_json_text_and_page(report: Report) -> None:
    assert json.loads(json.dumps(asdict(report)))["rows"][0]["stages"][0]["name"] == "read and decode"
    assert "frame to subscriber" in text(report)
    page = html(report)
    for title in ("Goals", "CPU per frame, by stage", "Latency", "Memory", "Throughput", "Viewers", "Regions"):
        assert f"<h2>{title}</h2>" in page
    assert page.count("<svg") == 9
    assert not re.search(r"(src|href)=|https?://|url\(", page)
    assert "nan" not in page


def test_a_source_is_measured_alone(tmp_path: Path) -> None:
    report = measure(Plan(frames=10), f"file:{PICTURES}")
    assert [row.frames_from for row in report.rows] == [f"file:{PICTURES}", f"file:{PICTURES} decoded"]
    assert (report.notes, report.latency, report.daemon) == ([], [], None)


def test_without_ffmpeg_the_videos_are_left_out_and_it_is_said_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    report = measure(Plan(size=(160, 90), frames=10, window_s=0.2, viewers=()))
    assert [row.frames_from for row in report.rows] == ["1080p decoded"]
    assert [note for note in report.notes if "ffmpeg is not here" in note] == report.notes
    assert [note.partition(":")[0] for note in report.notes] == ["1080p H.264", "1080p MJPEG"]


def test_pictures_that_are_not_there_leave_a_note_for_each_part(tmp_path: Path) -> None:
    plan = Plan(size=(160, 90), frames=10, window_s=0.2, viewers=())
    report = bench(BUNDLE, pictures=tmp_path, source=None, threads=1, plan=plan, command="")
    assert (report.rows, report.goals) == ([], [])
    assert all("has no pictures" in note for note in report.notes)
    assert "Not measured" in html(report)
    assert "has no pictures" in text(report)


def test_without_a_broker_it_is_said_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.demo.broker._PLACES", "")
    monkeypatch.setitem(sys.modules, "amqtt", None)
    with pytest.raises(BrokerError, match="apt install mosquitto"):
        measure(TINY)


def test_a_bundle_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"none\.loupe"):
        bench(tmp_path / "none.loupe", pictures=PICTURES, source=None, threads=1, plan=TINY, command="")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--source", "file:none.mp4"], "none.mp4"),
        (["--html", "nowhere/page.html"], "folder that can be written"),
    ],
)
def test_bad_use_is_one_line_and_exit_code_2(tmp_path: Path, words: list[str], said: str) -> None:
    command = [sys.executable, "-m", "edge.cli", "bench", str(BUNDLE), "--frames", "10", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr
