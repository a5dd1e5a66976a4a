"""Modbus: a coil of a PLC goes from 0 to 1, over TCP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.errors import TriggerError
from edge.pulses import Pulses

if TYPE_CHECKING:
    from edge.camera_config import ModbusTrigger
    from edge.triggers import Place

_ANSWER_S = 2.0


def create(config: ModbusTrigger, place: Place) -> Pulses:
    """Make the trigger; it polls the coil and sees each rise that lasts as long as `poll_ms`."""
    del place
    name = f"modbus {config.host}:{config.port} coil {config.coil}"

    def watch(pulses: Pulses) -> None:
        try:
            from pymodbus import ModbusException  # noqa: PLC0415 - an extra
            from pymodbus.client import ModbusTcpClient  # noqa: PLC0415
        except ImportError as error:
            raise TriggerError(f"{name}: pymodbus is not installed: pip install 'edgeloupe[modbus]'") from error
        client: Any = ModbusTcpClient(config.host, port=config.port, timeout=_ANSWER_S, retries=0)
        try:
            if not client.connect():
                raise TriggerError(f"{name}: does not answer: check host, port and cable")
            before = True  # a coil that is set already is no rise
            while not pulses.stopping.is_set():
                answer = client.read_coils(config.coil, count=1, device_id=config.unit)
                if answer.isError():
                    raise TriggerError(f"{name}: refused: {answer}: check unit and coil")
                pulses.sound()
                now = bool(answer.bits[0])
                if now and not before:
                    pulses.add()
                before = now
                pulses.stopping.wait(config.poll_ms / 1000)
        except (ModbusException, OSError) as error:  # what a broken connection raises depends on when it breaks
            raise TriggerError(f"{name}: stopped answering: {error}: check the network") from error
        finally:
            client.close()

    return Pulses(name, watch)
