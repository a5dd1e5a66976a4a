"""MQTT: a message on `<prefix>/<device>/<camera>/trigger/set` wants a picture, whatever it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.clock import SystemClock
from edge.errors import ConfigError
from edge.mqtt.broker import Broker
from edge.mqtt.link import connect
from edge.pulses import Pulses
from edge.topics import Topics

if TYPE_CHECKING:
    from edge.camera_config import MqttTrigger
    from edge.triggers import Place

_PUMP_S = 0.2


def create(config: MqttTrigger, place: Place) -> Pulses:
    """Make the trigger over the device's own broker. Raises ConfigError without one."""
    del config
    if place.mqtt is None:
        raise ConfigError(f"cameras.{place.camera}.trigger: mqtt needs a broker: configure mqtt")
    broker = Broker.of(place.mqtt)
    topic = Topics(prefix=place.mqtt.prefix, device=place.device).camera(place.camera, "trigger/set")

    def watch(pulses: Pulses) -> None:
        client = f"{place.device}-{place.camera}-trigger"
        with connect(broker, client_id=client, clock=SystemClock(), session_s=0) as link:
            link.subscribe(topic)
            pulses.sound()
            while not pulses.stopping.is_set():
                link.pump(_PUMP_S)
                while link.inbox:
                    if not link.inbox.popleft().retain:  # a retained one is an old wish
                        pulses.add()

    return Pulses(f"mqtt {topic}", watch)
