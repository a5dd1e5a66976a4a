"""Camera configuration: source, settings, trigger, geometry and light of one camera, and when a picture is unfit."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from edge.errors import ConfigError
from edge.source import check_source
from edge.strict_yaml import Slug, Strict
from edge.tile_config import TilingConfig, ZoneConfig

_PATIENCE_S = 1.5
_DUE_S = 0.5

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Level = Annotated[float, Field(ge=0, le=255)]
Side = Annotated[int, Field(ge=16, le=32_768)]
CoilAddress = Annotated[int, Field(ge=0, le=65_535)]


class FormatConfig(Strict):
    """What the camera is asked to give; what is unset stays as the camera has it."""

    width: Side | None = None
    height: Side | None = None
    fps: Annotated[float, Field(gt=0, le=1000)] | None = None
    pixels: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{2,16}$")] | None = Field(
        default=None, description="MJPG, YUYV, Mono8, BayerRG8 and so on, as the camera calls it"
    )


class ControlsConfig(Strict):
    """Settings of the camera; what is unset stays automatic."""

    exposure_us: Annotated[float, Field(gt=0, le=60_000_000)] | None = None
    gain: Annotated[float, Field(ge=0, le=1000)] | None = Field(
        default=None, description="v4l2: the driver's unit; picamera2: factor; genicam: dB"
    )
    white_balance_k: Annotated[int, Field(ge=1000, le=20_000)] | None = None
    white_balance_gains: tuple[float, float] | None = Field(default=None, description="picamera2: red and blue")
    focus: Annotated[float, Field(ge=0, le=10_000)] | None = Field(
        default=None, description="v4l2: the driver's unit; picamera2: dioptres"
    )


class Motion(Strict):
    """When pictures differ; seen on small grey copies."""

    threshold: Level = Field(default=12.0, description="grey levels by which a pixel must differ")
    share: Annotated[float, Field(gt=0, le=1)] = Field(default=0.02, description="of the pixels that must differ")


class FreeTrigger(Motion):
    """Every picture is wanted; with `idle_fps`, while nothing moves only so many a second."""

    kind: Literal["free"] = "free"
    idle_fps: Annotated[float, Field(gt=0, le=240)] | None = Field(
        default=None, description="while nothing moves; unset: as fps says"
    )


class IntervalTrigger(Strict):
    """A picture from time to time, by daylight only if asked; the camera is closed in between."""

    kind: Literal["interval"]
    every_s: Seconds
    begin: time | None = Field(default=None, description="local time of day when the window opens")
    end: time | None = Field(default=None, description="and closes; earlier than begin: over midnight")

    @model_validator(mode="after")
    def _both_or_none(self) -> IntervalTrigger:
        if (self.begin is None) != (self.end is None):
            raise ValueError("begin and end stand together, such as begin: '06:30' and end: '19:00'")
        return self


class ChangeTrigger(Motion):
    """The picture changed: `arrived`, a part came and lies still; `moved`, anything changed."""

    kind: Literal["change"]
    on: Literal["arrived", "moved"] = "arrived"


class GpioTrigger(Strict):
    """An edge on a line of a GPIO chip."""

    kind: Literal["gpio"]
    chip: Path = Path("/dev/gpiochip0")
    line: Annotated[int, Field(ge=0, le=1023)]
    edge: Literal["rising", "falling"] = "rising"
    debounce_ms: Annotated[float, Field(ge=0, le=1000)] = 2.0


class MqttTrigger(Strict):
    """A message on `<prefix>/<device>/<camera>/trigger/set`, whatever it says."""

    kind: Literal["mqtt"]


class ModbusTrigger(Strict):
    """A coil of a Modbus TCP device goes from 0 to 1."""

    kind: Literal["modbus"]
    host: str
    port: Port = 502
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    coil: CoilAddress
    poll_ms: Annotated[float, Field(ge=2, le=10_000)] = 10.0


class OpcUaTrigger(Strict):
    """A node of an OPC UA server changes to true, or to another number."""

    kind: Literal["opcua"]
    url: Annotated[str, Field(pattern=r"^opc\.tcp://[^\s]+$")]
    node: Annotated[str, Field(pattern=r"^(ns=\d+;)?[isgb]=.+$")]


TriggerKind = Annotated[
    FreeTrigger | IntervalTrigger | ChangeTrigger | GpioTrigger | MqttTrigger | ModbusTrigger | OpcUaTrigger,
    Field(discriminator="kind"),
]


class GeometryConfig(Strict):
    """How the picture is straightened before anything looks at it; in this order."""

    flat_field: Path | None = Field(default=None, description="picture of an evenly lit white sheet")
    calibration: Path | None = Field(default=None, description="written by `edgeloupe calibrate-camera`")
    rotate: Literal[0, 90, 180, 270] = Field(default=0, description="degrees clockwise")
    crop: tuple[int, int, int, int] | None = Field(default=None, description="x, y, width, height, after the rest")

    @field_validator("crop")
    @classmethod
    def _crop_is_a_box(cls, crop: tuple[int, int, int, int] | None) -> tuple[int, int, int, int] | None:
        if crop is not None and (min(crop[:2]) < 0 or min(crop[2:]) < 16):
            raise ValueError("must be x, y from 0 on and width, height of at least 16")
        return crop


class ClipConfig(Strict):
    """Seconds around an alert that are kept as a video."""

    before_s: Annotated[float, Field(ge=0, le=60)] = 0.0
    after_s: Annotated[float, Field(ge=0, le=60)] = 0.0
    fps: Annotated[float, Field(gt=0, le=60)] = Field(
        default=5.0, description="of cameras that don't encode themselves"
    )
    most_mb: Annotated[int, Field(ge=1, le=1000)] = Field(default=64, description="memory the ring may take")


class CameraConfig(TilingConfig):
    """One camera."""

    source: Annotated[str, AfterValidator(check_source)] = Field(description="SCHEME:PLACE, as v4l2:/dev/video0")
    username: str | None = Field(default=None, description="of rtsp, http and push sources")
    password_file: Path | None = Field(default=None, description="of the same")
    ca: Path | None = Field(default=None, description="authority of rtsps and https sources (PEM); unset: the system's")
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="of rtsp sources")
    fps: Annotated[float, Field(gt=0, le=240)] | None = Field(
        default=None, description="at most so many pictures a second; unset: as they come"
    )
    deadline_s: Seconds | None = Field(
        default=None,
        description="a verdict is due so long after its picture; unset: 0.5, or one period of fps if that is longer",
    )
    priority: Annotated[int, Field(ge=1, le=100)] = Field(
        default=1, description="share of the time where there is not enough for all cameras"
    )
    loop: bool = Field(default=False, description="file sources begin again at the end")
    first_frame_s: Seconds = Field(default=20.0, description="give up opening after this long, and try again")
    stall_s: Seconds | None = Field(
        default=None,
        description="no picture for this long: replace the camera's process; unset: 1.5, and never where pictures "
        "come when others send them",
    )
    alert_per: Literal["part", "scene"] = Field(
        default="scene", description="part: each picture is another part; scene: one alert while a defect stays"
    )
    format: FormatConfig = FormatConfig()
    controls: ControlsConfig = ControlsConfig()
    hardware_trigger: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,32}$")] | None = Field(
        default=None, description="genicam: Line1 and so on, or Software: `trigger` releases the shutter"
    )
    producer: Path | None = Field(default=None, description="genicam: a vendor's GenTL producer (.cti); unset: Aravis")
    trigger: TriggerKind = FreeTrigger()
    burst: Annotated[int, Field(ge=1, le=100)] = Field(default=1, description="pictures taken per trigger")
    pick: Literal["all", "sharpest", "best", "worst"] = Field(
        default="all", description="of a burst: each judged, only the sharpest, or the best or worst verdict"
    )
    zones: dict[Slug, ZoneConfig] = Field(default={}, description="parts of the straightened picture, by name")
    geometry: GeometryConfig = GeometryConfig()
    reference: Path | None = Field(
        default=None,
        description="picture of the scene as it should be: to notice a lens that is covered, blurred, moved",
    )
    clip: ClipConfig = ClipConfig()

    @model_validator(mode="after")
    def _released_by_what_needs_no_picture(self) -> CameraConfig:
        by_change = self.trigger.kind == "change" or (self.trigger.kind == "free" and self.trigger.idle_fps is not None)
        if self.hardware_trigger == "Software" and by_change:
            raise ValueError(
                "hardware_trigger: Software takes a picture when trigger asks for one, which can't depend on pictures: "
                "use interval, gpio, mqtt, modbus or opcua, or leave Software out"
            )
        return self

    @property
    def patience_s(self) -> float:
        """How long a lens may give no picture: as configured, but at least three of its own periods."""
        period_s = 0.0 if self.format.fps is None else 1 / self.format.fps
        return max(self.stall_s or _PATIENCE_S, 3 * period_s)

    @property
    def due_s(self) -> float:
        """How long after its picture a verdict is due."""
        return self.deadline_s or max(_DUE_S, 0.0 if self.fps is None else 1 / self.fps)

    def password(self) -> str | None:
        """Read the password. Raises ConfigError."""
        if self.password_file is None:
            return None
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise ConfigError(
                f"cameras: password_file = {self.password_file}: {reason}: give a file that this user may read"
            ) from error


class PictureConfig(Strict):
    """Which pictures can't be judged."""

    max_age_s: Seconds = 2.0
    dark_below: Level = 12.0
    bright_above: Level = 250.0
    frozen_s: Seconds = Field(default=3.0, description="a live camera gave the same picture for so long")
    noise_below: Annotated[float, Field(ge=-1, le=1)] = Field(
        default=0.25, description="correlation of neighbouring pixels below which there is only noise"
    )
    covered_below: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.2, description="of the reference's contrast or sharpness"
    )
    blurred_below: Annotated[float, Field(ge=0, le=1)] = Field(default=0.35, description="of the reference's sharpness")
    moved_above: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.01, description="shift against the reference, as a share of the picture's width"
    )
    drift_above: Level = Field(
        default=25.0, description="grey levels of brightness or colour outside the calibration set's"
    )
    hot_above_c: Annotated[float, Field(gt=0, le=200)] = 85.0
