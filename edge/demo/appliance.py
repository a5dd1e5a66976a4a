"""The demonstration's parts: its configuration, and the pictures and the model that ship."""

from __future__ import annotations

from pathlib import Path

from edge.camera_config import CameraConfig
from edge.config import (
    AlertConfig,
    Config,
    ModelConfig,
    MqttConfig,
    RuleConfig,
    StorageConfig,
    WebConfig,
)

FOLDER = Path(__file__).parent
BUNDLE = FOLDER / "coffee-leaf.loupe"
KEY = FOLDER / "coffee-leaf.pub.pem"
PICTURES = FOLDER / "pictures"


def demo_config(folder: Path, *, source: str | None, broker_port: int, web_port: int) -> Config:
    """Describe one camera over a belt of coffee leaves; everything is kept in `folder`."""
    camera = CameraConfig(source=source or f"belt:{PICTURES}", fps=8, loop=True)
    return Config(
        device="demo",
        model=ModelConfig(bundle=BUNDLE, trusted_keys=[KEY]),
        cameras={"belt": camera},
        rules={"lesion": RuleConfig(min_score=0.6, min_area_px=60)},
        alerts=AlertConfig(confirm=2, clear=3),
        mqtt=MqttConfig(port=broker_port),
        storage=StorageConfig(state_dir=folder / "state", runtime_dir=folder / "run", evidence_mb=200),
        web=WebConfig(port=web_port),
    )
