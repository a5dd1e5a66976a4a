"""The device's configuration: one strict YAML file."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, field_validator, model_validator

from edge import strict_yaml
from edge.camera_config import CameraConfig, PictureConfig, Seconds
from edge.errors import ConfigError
from edge.evidence_config import EvidenceKind, PeopleConfig, RetentionConfig
from edge.sink_config import SinkConfig, SparkplugConfig
from edge.strict_yaml import Slug, Strict
from edge.tile_config import Roi, TilesConfig, ZoneConfig
from edge.topics import RESERVED, Verb

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PATH = Path("/etc/edgeloupe/edgeloupe.yaml")


def _not_a_topic(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"can't be a camera's name, because {'/'.join(RESERVED)} are topics beside the cameras'")
    return name


CameraName = Annotated[Slug, AfterValidator(_not_a_topic)]
Share = Annotated[float, Field(ge=0, le=1)]


def _topic_level_path(value: str) -> str:
    if not value or any(c in value for c in "+#\0") or value.startswith("/") or value.endswith("/"):
        raise ValueError("must be topic levels without +, # or a slash at either end, such as edgeloupe")
    return value


class ZoneRuleConfig(Strict):
    """What is otherwise for regions of one class that lie in one zone; what is unset is as elsewhere."""

    ignore: bool = Field(default=False, description="what lies there is no defect, and counts for no share")
    min_score: Share | None = None
    undecided_score: Share | None = None
    min_area_px: Annotated[int, Field(ge=1)] | None = None
    max_share: Share | None = Field(default=None, description="of the object, by what lies there alone")


class RuleConfig(Strict):
    """When a region of one class is a defect."""

    min_score: Share = 0.5
    undecided_score: Share | None = Field(
        default=None, description="from this score up to min_score the answer is NotDecidable"
    )
    min_area_px: Annotated[int, Field(ge=1)] = 1
    max_share: Share = Field(
        default=0.0, description="tolerated share of the object (all classes but the first) before it is NotOK"
    )

    zones: dict[Slug, ZoneRuleConfig] = Field(
        default={}, description="by zone; of several that a region lies in, the first one here"
    )

    def within(self, zone: str | None) -> RuleConfig:
        """Give the limits for regions that lie in `zone`, one of `zones`; in none, the rule's own."""
        if zone is None:
            return self
        told = self.zones[zone].model_dump(exclude={"ignore"}, exclude_none=True)
        return self.model_copy(update={**told, "zones": {}})

    @model_validator(mode="after")
    def _band_is_below(self) -> RuleConfig:
        for zone in (None, *self.zones):
            limits = self.within(zone)
            if limits.undecided_score is not None and limits.undecided_score >= limits.min_score:
                where = f" in zone {zone}" if zone else ""
                raise ValueError(f"undecided_score must be below min_score{where}")
        return self


class AlertConfig(Strict):
    """When an alert begins and ends."""

    confirm: Annotated[int, Field(ge=1, le=100)] = Field(default=1, description="NotOK pictures in a row to begin")
    clear: Annotated[int, Field(ge=1, le=100)] = Field(default=3, description="OK pictures in a row to end")
    update_s: Seconds = Field(default=10.0, description="while it lasts, one update at most this often")


class ModelConfig(Strict):
    """The network and who runs it."""

    bundle: Path | None = Field(default=None, description="unset: the installed one that was activated")
    minimum_release: Annotated[int, Field(ge=1)] = Field(
        default=1, description="older ones are not installed or activated; going back to one that ran here is allowed"
    )
    target: str | None = Field(default=None, description="unset: the first target of the bundle that runs here")
    threads: Annotated[int, Field(ge=0, le=256)] = Field(
        default=0, description="for one inference; 0: as `edgeloupe tune` measured, else as the runtime likes"
    )
    lanes: Annotated[int, Field(ge=0, le=64)] = Field(
        default=0, description="inferences at once; 0: as `edgeloupe tune` measured, else as mostly does well"
    )
    trusted_keys: list[Path] = Field(
        default_factory=list, description="public keys (PEM) whose bundles are accepted; empty: any intact bundle"
    )


class TlsConfig(Strict):
    """Encryption towards the broker."""

    ca: Path | None = Field(default=None, description="unset: the system's authorities")
    certificate: Path | None = None
    key: Path | None = None


class OperatorConfig(Strict):
    """Who may command the device over MQTT."""

    key_file: Path = Field(description="holds the secret with which commands are signed, at least 16 bytes")
    verbs: list[Verb]

    def key(self) -> bytes:
        """Read the secret. Raises ConfigError."""
        try:
            key = self.key_file.read_bytes().strip()
        except OSError as error:
            reason = error.strerror
            raise ConfigError(f"mqtt.operators: {self.key_file}: {reason}: give a file that can be read") from error
        if len(key) < 16:
            raise ConfigError(f"mqtt.operators: {self.key_file}: shorter than 16 bytes: make a longer secret")
        return key


class MqttConfig(Strict):
    """The broker."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 1883
    prefix: Annotated[str, AfterValidator(_topic_level_path)] = "edgeloupe"
    discovery_prefix: Annotated[str, AfterValidator(_topic_level_path)] | None = "homeassistant"
    username: str | None = None
    password_file: Path | None = Field(default=None, description="or systemd credential mqtt-password")
    tls: TlsConfig | None = None
    open_commands: list[Verb] = Field(
        default=["replay"], description="taken without a signature: the broker's rules say who may publish them"
    )
    operators: dict[Slug, OperatorConfig] = Field(default={}, description="by name: who may sign which commands")
    publish_results: bool = Field(default=True, description="every inspection on .../result, not only alerts")
    publish_images: bool = Field(default=False, description="the picture behind each new alert on .../image")

    def password(self) -> str | None:
        """Read the password from its file or from systemd's credentials. Raises ConfigError."""
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        path = self.password_file or (Path(folder) / "mqtt-password" if folder else None)
        if path is None or (self.password_file is None and not path.exists()):
            return None
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"mqtt.password_file = {path}: {error.strerror}: give a file that can be read") from error


class StorageConfig(Strict):
    """Where things are kept, and how much of them."""

    state_dir: Path = Path("/var/lib/edgeloupe")
    runtime_dir: Path = Path("/run/edgeloupe")
    evidence: tuple[EvidenceKind, ...] = Field(default=("picture",), description="what is kept behind alerts")
    evidence_mb: Annotated[int, Field(ge=1)] = 2000
    evidence_low_mb: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="once evidence_mb are exceeded, deleting goes on down to this; unset: nine tenths"
    )
    retention: dict[Slug, RetentionConfig] = Field(default={}, description="by class of the model")
    blur_people: PeopleConfig | None = Field(default=None, description="unset: pictures are kept as they are")
    replay_days: Annotated[float, Field(gt=0)] = Field(default=30.0, description="delivered alerts are kept this long")
    replay_mb: Annotated[int, Field(ge=1)] = Field(default=1024, description="and at most so much of them")
    ballast_mb: Annotated[int, Field(ge=0)] = Field(default=4, description="space held back for alerts on a full disk")

    @property
    def evidence_low_bytes(self) -> int:
        """Down to which evidence is deleted."""
        return (self.evidence_mb << 20) * 9 // 10 if self.evidence_low_mb is None else self.evidence_low_mb << 20

    @model_validator(mode="after")
    def _low_is_below(self) -> StorageConfig:
        if self.evidence_low_bytes > self.evidence_mb << 20:
            raise ValueError("evidence_low_mb must not be above evidence_mb")
        return self


class WebConfig(Strict):
    """The dashboard."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    key_file: Path | None = Field(
        default=None, description="secret of who may calibrate; or systemd credential web-key; unset: nobody"
    )

    @field_validator("host")
    @classmethod
    def _loopback_only(cls, host: str) -> str:
        try:
            loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise ValueError("must be a loopback address such as 127.0.0.1: the dashboard has no login yet")
        return host

    def key(self) -> str | None:
        """Read the secret of who may change something; None: nobody may. Raises ConfigError."""
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        path = self.key_file or (Path(folder) / "web-key" if folder else None)
        if path is None or (self.key_file is None and not path.exists()):
            return None
        try:
            key = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise ConfigError(f"web.key_file = {path}: {reason}: give a file that can be read") from error
        if len(key) < 16:
            raise ConfigError(f"web.key_file = {path}: shorter than 16 characters: make a longer secret")
        return key


class RecipeCameraConfig(Strict):
    """How one camera's pictures are looked at for one product; what is unset is as for the camera."""

    zones: dict[Slug, ZoneConfig] | None = None
    roi: Roi | None = None
    tiles: TilesConfig | None = None


class RecipeConfig(Strict):
    """What to inspect on one product; what is unset is as for the device."""

    rules: Annotated[dict[Slug, RuleConfig], Field(min_length=1)] | None = None
    cameras: dict[Slug, RecipeCameraConfig] = Field(default={}, description="by name")
    bundle: Path | None = None


class Config(Strict):
    """Everything the daemon depends on."""

    device: Slug
    model: ModelConfig
    cameras: Annotated[dict[CameraName, CameraConfig], Field(min_length=1)]
    rules: Annotated[dict[Slug, RuleConfig], Field(min_length=1)] = Field(description="by class of the model")
    recipes: dict[Slug, RecipeConfig] = Field(
        default={}, description="by product; without any there is nothing to choose"
    )
    recipe: Slug | None = Field(default=None, description="until another is prepared; unset: the first of recipes")
    picture: PictureConfig = PictureConfig()
    alerts: AlertConfig = AlertConfig()
    mqtt: MqttConfig | None = None
    sinks: dict[Slug, SinkConfig] = Field(default={}, description="by a name of one's own")
    storage: StorageConfig = StorageConfig()
    web: WebConfig = WebConfig()

    @property
    def seldom(self) -> bool:
        """Say whether pictures come from time to time only: a battery pays for each look whether there is one."""
        return all(camera.trigger.kind == "interval" for camera in self.cameras.values())

    @model_validator(mode="after")
    def _recipes_fit(self) -> Config:
        if self.recipe is not None and self.recipe not in self.recipes:
            raise ValueError(f"recipe = {self.recipe!r}: is none of recipes")
        _check_zones("", self.rules, {name: camera.zones for name, camera in self.cameras.items()})
        for name, recipe in self.recipes.items():
            unknown = sorted(set(recipe.cameras) - set(self.cameras))
            if unknown:
                raise ValueError(f"recipes.{name}.cameras.{unknown[0]}: is none of cameras")
            zones = {key: camera.zones for key, camera in self.cameras.items()}
            zones |= {key: camera.zones for key, camera in recipe.cameras.items() if camera.zones is not None}
            _check_zones(f"recipes.{name}.", recipe.rules or self.rules, zones)
        return self

    @model_validator(mode="after")
    def _sinks_fit(self) -> Config:
        for name, sink in self.sinks.items():
            if isinstance(sink, SparkplugConfig) and self.mqtt is None:
                raise ValueError(f"sinks.{name} goes through the broker: add section mqtt")
            reject = getattr(sink, "reject", None)
            if reject is not None and reject.camera not in self.cameras:
                raise ValueError(f"sinks.{name}.reject.camera = {reject.camera!r}: is none of cameras")
        return self

    @model_validator(mode="after")
    def _nobody_in_clips(self) -> Config:
        for name, camera in self.cameras.items():
            if self.storage.blur_people and camera.clip.before_s + camera.clip.after_s > 0:
                raise ValueError(f"cameras.{name}.clip would show people: leave it out, or storage.blur_people")
        return self


def _check_zones(where: str, rules: Mapping[str, RuleConfig], zones: Mapping[str, Mapping[str, ZoneConfig]]) -> None:
    known = {name for of_camera in zones.values() for name in of_camera}
    for label, rule in rules.items():
        unknown = sorted(set(rule.zones) - known)
        if unknown:
            there = f"only {', '.join(sorted(known))}" if known else "none at all"
            raise ValueError(f"{where}rules.{label}.zones.{unknown[0]}: no camera has such a zone, {there}")


def load_config(path: Path) -> Config:
    """Read the device's configuration.

    Raises:
        ConfigError: the file can't be read or breaks a rule; every mistake on its own line.
    """
    return strict_yaml.load(path, Config)
