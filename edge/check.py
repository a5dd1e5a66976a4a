"""Check: try the model, every camera, the broker and every sink of a configuration, each in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge import cameras
from edge.apart import Apart
from edge.bundle import open_bundle
from edge.bundle_store import chosen_bundle
from edge.cameras import Nothing
from edge.clock import SystemClock
from edge.errors import EdgeloupeError
from edge.geometry.straighten import Geometry
from edge.pictures.image import bgr
from edge.recipe import recipes_of
from edge.sinks import Site, make_peer
from edge.sinks.mqtt import try_broker
from edge.tiles.tiled import plan
from edge.trial import TRIAL_S, try_model
from edge.zones import check_zones

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edge.camera_config import CameraConfig
    from edge.config import Config, MqttConfig, WebConfig
    from edge.picture import Picture

_BROKER_S = 10.0
_SINK_S = 20.0
_OURS = ("modbus", "opcua", "gpio", "sparkplug")
"""Sinks whose port, line or name the running daemon holds: only their settings are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check showed."""

    what: str
    detail: str
    fault: bool


def check(config: Config) -> list[Finding]:
    """Try everything the configuration names; a check that hangs is given up and is a fault."""
    models = {recipe.bundle: config.model_copy(update={"recipe": name}) for name, recipe in recipes_of(config).items()}
    findings = [
        _try("model" if len(models) == 1 else f"model of {each.recipe}", TRIAL_S, try_model, each)
        for each in models.values()
    ]
    for name, camera in config.cameras.items():
        findings.append(_try(f"camera {name}", camera.first_frame_s, _read_camera, name, config))
    if config.web.enabled and config.web.key_file is not None:
        findings.append(_try("dashboard", _BROKER_S, _read_key, config.web))
    if config.mqtt:
        findings.append(_try("broker", _BROKER_S, _reach_broker, config.mqtt, config.device))
    return findings + [_try(f"sink {name}", _SINK_S, _reach_sink, name, config) for name in config.sinks]


def _try(what: str, limit_s: float, action: Callable[..., str], *args: Any) -> Finding:
    with Apart(what, limit_s, action, *args) as apart:
        answer = apart.wait()
    return Finding(what=what, detail=answer.detail, fault=answer.fault)


def _read_camera(name: str, device: Config) -> str:
    config = device.cameras[name]
    with cameras.create(config, device.mqtt) as camera:
        if (release := cameras.release_of(camera)) is not None:
            release()
        shot = camera.read()
    if shot is Nothing.YET:
        return f"{config.source}: is ready, and waits for somebody to send a picture"
    if isinstance(shot, Nothing):
        raise EdgeloupeError(f"{config.source}: has no pictures")
    picture = bgr(shot.picture)
    came = f"{config.source}: {picture.shape[1]}x{picture.shape[0]} {shot.format}".rstrip()
    straight = Geometry(config.geometry).apply(picture)
    if straight is not picture:
        came += f", straightened to {straight.shape[1]}x{straight.shape[0]}"
    for recipe in recipes_of(device).values():
        check_zones(recipe.cameras[name].zones, straight.shape[1], straight.shape[0])
    return came + _lay_tiles(config, device, straight)


def _lay_tiles(config: CameraConfig, device: Config, picture: Picture) -> str:
    if config.roi is None and config.tiles is None:
        return ""
    manifest = open_bundle(chosen_bundle(device), trusted=device.model.trusted_keys).manifest
    taken, given = ((side.width, side.height) for side in (manifest.input, manifest.output))
    laid = plan(config, (picture.shape[1], picture.shape[0]), taken, given)
    area = f"{laid.area.width}x{laid.area.height} at {laid.area.x}, {laid.area.y}"
    return f", looked at {area}" + (f" in {len(laid.tiles)} tiles" if config.tiles else "")


def _reach_sink(name: str, config: Config) -> str:
    sink = config.sinks[name]
    site = Site.of(config, SystemClock())
    peer = make_peer(name, sink, site)
    if sink.kind in _OURS:
        return f"{peer}: its settings are right; what it needs was not touched"
    with peer:
        return f"{peer}: is there"


def _read_key(config: WebConfig) -> str:
    config.key()
    return f"who knows what stands in {config.key_file} may calibrate cameras there"


def _reach_broker(config: MqttConfig, device: str) -> str:
    return try_broker(config, device, _BROKER_S / 2)
