"""OPC UA: a node becomes true, or another number, as the server tells by subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.errors import TriggerError
from edge.pulses import Pulses

if TYPE_CHECKING:
    from edge.camera_config import OpcUaTrigger
    from edge.triggers import Place

_ANSWER_S = 4.0
_PUBLISH_MS = 10
_ALIVE_S = 1.0


def create(config: OpcUaTrigger, place: Place) -> Pulses:
    """Make the trigger; it connects without encryption, as most PLCs on their own network offer it."""
    del place
    name = f"opcua {config.url} {config.node}"

    def watch(pulses: Pulses) -> None:
        try:
            from asyncua import sync  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise TriggerError(f"{name}: asyncua is not installed: pip install 'edgeloupe[opcua]'") from error
        from asyncua.ua.uaerrors import UaError  # noqa: PLC0415

        try:
            with sync.Client(config.url, timeout=_ANSWER_S) as client:
                node = client.get_node(config.node)
                subscription = client.create_subscription(_PUBLISH_MS, _Edges(pulses))
                subscription.subscribe_data_change(node)
                pulses.sound()
                while not pulses.stopping.wait(_ALIVE_S):
                    node.read_value()  # a subscription does not tell that the server is gone
        except (OSError, TimeoutError, UaError, ConnectionError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise TriggerError(f"{name}: {reason}: check url, node and network") from error

    return Pulses(name, watch)


class _Edges:
    """Hears what the server tells, in its thread."""

    def __init__(self, pulses: Pulses) -> None:
        self._pulses = pulses
        self._before: Any = None
        self._first = True

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        """Take one change; the first only tells how it stands."""
        del node, data
        first, before = self._first, self._before
        self._first, self._before = False, value
        if not first and value != before and value is not False:
            self._pulses.add()
