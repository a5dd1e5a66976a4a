"""Topics: where things are said on MQTT, below `<prefix>/<device>`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeGuard

Verb = Literal["trigger", "start", "stop", "prepare_recipe", "replay", "reload_model", "rollback", "snapshot", "adjust"]
"""What a device can be told."""

RESERVED = ("cmd", "reply", "recipe")
"""Levels beside the cameras; a camera of such a name would be mistaken for them."""

_CORRELATION = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """The topics of one device; with `device="+"` the filters that match those of all devices."""

    prefix: str
    device: str

    @property
    def root(self) -> str:
        """Everything of this device stands below here."""
        return f"{self.prefix}/{self.device}"

    @property
    def availability(self) -> str:
        """Retained `online` or `offline`, the latter as the last will."""
        return f"{self.root}/availability"

    @property
    def state(self) -> str:
        """Retained JSON: versions, model, epoch, first_seq, last_seq, health."""
        return f"{self.root}/state"

    @property
    def metrics(self) -> str:
        """JSON of all counters, from time to time."""
        return f"{self.root}/metrics"

    @property
    def recipe(self) -> str:
        """Retained word: the recipe in force, on devices that have any."""
        return f"{self.root}/recipe/state"

    def camera(self, camera: str, what: str) -> str:
        """`status`, `health`, `verdict` and `image` (retained), `result` (QoS 0) and `alert` (QoS 1) of one camera."""
        return f"{self.root}/{camera}/{what}"

    def command(self, verb: str) -> str:
        """Where the device listens."""
        return f"{self.root}/cmd/{verb}"

    def reply(self, correlation: str) -> str:
        """Where the device answers the command that brought `correlation`."""
        return f"{self.root}/reply/{correlation}"


def split(prefix: str, topic: str) -> tuple[str, str] | None:
    """Split a topic below `prefix` into device and rest; None for a topic elsewhere."""
    inside = topic.removeprefix(f"{prefix}/")
    device, _, rest = inside.partition("/")
    return (device, rest) if inside != topic and device and rest else None


def is_correlation(value: object) -> bool:
    """Say whether `value` may stand as one level of a reply's topic: 1 to 64 letters, digits, `_` or `-`."""
    return isinstance(value, str) and _CORRELATION.fullmatch(value) is not None


def is_publishable(topic: object) -> TypeGuard[str]:
    """Say whether a reply may go to `topic`: no wildcards, nothing of the broker's own, not endless."""
    return isinstance(topic, str) and 0 < len(topic) <= 1024 and topic[0] != "$" and not set(topic) & set("+#\0")
