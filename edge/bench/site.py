"""Site: where the bench works: the bundle, folders in memory and on a disk, a broker, and configurations for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.config import Config, ModelConfig, MqttConfig, RuleConfig, StorageConfig, WebConfig

if TYPE_CHECKING:
    from pathlib import Path

    from edge.bundle import Bundle
    from edge.camera_config import CameraConfig

FULL_HD = (1920, 1080)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured; what is empty is left out."""

    size: tuple[int, int] = FULL_HD  # of frames
    clip_frames: int = 120
    frames: int = 100  # per row, in blocks of ten
    window_s: float = 3.0  # for which the running daemon is watched at a time
    viewers: tuple[int, ...] = (0, 1)
    rounds: int = 1  # of viewers
    throughput: bool = False
    regions: tuple[int, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    cameras: tuple[int, ...] = ()

    def full(self) -> Plan:
        """Give the same with growth: takes minutes."""
        return replace(
            self,
            viewers=(0, 1, 2, 4),
            rounds=2,
            throughput=True,
            regions=(0, 4, 20, 100, 500),
            sizes=((640, 360), (1280, 720), (1920, 1080), (3840, 2160)),
            cameras=(1, 2, 4, 8),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all parts of the bench share."""

    bundle: Bundle
    bundle_path: Path
    threads: int
    pictures: Path
    memory: Path
    disk: Path
    broker_port: int
    plan: Plan

    @property
    def wanted(self) -> tuple[int, int]:
        """Width and height of what the network takes: a JPEG need not be decoded larger than that."""
        return self.bundle.manifest.input.width, self.bundle.manifest.input.height

    def folder(self, root: Path, name: str) -> Path:
        """Make a fresh folder for one part."""
        path = root / f"{name}-{len(list(root.iterdir()))}"
        path.mkdir()
        return path

    def config(self, name: str, cameras: dict[str, CameraConfig], *, threads: int | None = None) -> Config:
        """Describe a daemon over these cameras, whose model's own class of interest is a defect wherever it is seen."""
        return Config(
            device="bench",
            model=ModelConfig(bundle=self.bundle_path, threads=self.threads if threads is None else threads),
            cameras=cameras,
            rules={self.bundle.manifest.focus: RuleConfig(min_score=0.0)},
            mqtt=MqttConfig(port=self.broker_port, discovery_prefix=None, publish_results=False),
            storage=StorageConfig(
                state_dir=self.folder(self.disk, name), runtime_dir=self.folder(self.memory, name), ballast_mb=0
            ),
            web=WebConfig(port=0),
        )
