"""A device's site for tests of sinks: an outbox with alerts, evidence, results as they come by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from edge.clock import SystemClock
from edge.config import MqttConfig
from edge.mqtt.link import Backoff
from edge.outbox.outbox import Outbox
from edge.sink_config import SinkConfig
from edge.sinks import Site, create
from edge.written import Written

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.outputs.courier import Courier

QUICK = Backoff(first_s=0.05, most_s=0.2)
CLOCK = SystemClock()


def result(verdict: str = "NotOK", camera: str = "belt", area_px: int = 70, **more: Any) -> Written:
    """What the worker tells of one inspection, as far as sinks look at it."""
    regions = [{"id": 1, "label": "spot", "score": 0.9, "bbox": [1, 2, 10, 7], "area_px": area_px}]
    fields = {
        "schema": "edgeloupe.result/1",
        "result_id": "0e7c0de6-2f35-4e2b-a7d2-1f6f5f1f9d11",
        "device": "line-3",
        "camera": camera,
        "is_simulated": True,
        "result_state": "Completed",
        "result_evaluation": verdict,
        "result_evaluation_code": {"OK": 1, "NotOK": 2, "NotDecidable": 3}[verdict],
        "reasons": ["spot: 1 found, larger than 3 mm²"] if verdict == "NotOK" else [],
        "part_id": None,
        "job_id": None,
        "recipe_id": None,
        "creation_time": "2026-11-21T08:15:30.123Z",
        "frame": {"id": 7, "width": 160, "height": 120, "captured_at": "2026-11-21T08:15:30.100Z", "age_s": 0.01},
        "processing_times": {
            "acquisition": 0.001, "preprocess": 0.001, "inference": 0.004, "postprocess": 0.002, "total": 0.008
        },
        "model": {"name": "leaf", "release": 3, "sha256": "ab" * 32, "target": "cpu", "precision": "int8"},
        **more,
    }  # fmt: skip
    return Written(fields, json.dumps(regions if verdict == "NotOK" else []))


def alerts(count: int, first: int = 0, kind: str = "new", **more: Any) -> list[dict[str, Any]]:
    """Alerts as the worker hands them over."""
    return [
        {**result(), "type": kind, "alert_id": f"a{n}", "evidence": None, **more} for n in range(first, first + count)
    ]


class Plant:
    """A device without cameras: its outbox is written by hand."""

    def __init__(
        self,
        folder: Path,
        cameras: Sequence[str] = ("belt", "press"),
        mqtt_port: int | None = None,
        *,
        commits: bool = True,
    ) -> None:
        if commits:
            self.outbox = Outbox(folder / "outbox.sqlite", CLOCK)
        self.mqtt_port = mqtt_port
        self.site = Site(
            device="line-3",
            cameras=tuple(cameras),
            state_dir=folder,
            clock=CLOCK,
            mqtt=MqttConfig(port=mqtt_port) if mqtt_port else None,
        )

    def sink(self, settings: dict[str, Any], name: str = "it") -> Courier:
        """Make a sink from settings as they stand in the configuration."""
        config: SinkConfig = TypeAdapter(SinkConfig).validate_python(settings)
        return create(name, config, self.site, QUICK)

    def commit(self, *payloads: dict[str, Any]) -> list[int]:
        return self.outbox.commit(payloads)
