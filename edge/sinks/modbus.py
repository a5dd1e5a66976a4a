"""Modbus: a TCP server whose registers show a PLC verdicts, counts, health, alerts one by one, and a reject coil."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

from pymodbus import ModbusDeviceIdentification
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge import __version__
from edge.errors import ConfigError, SinkError
from edge.inspection import Verdict
from edge.outputs.background import Background
from edge.outputs.reject import Rejector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.outbox.outbox import Stored
    from edge.outputs.courier import Desk, Passing
    from edge.sink_config import ModbusConfig
    from edge.sinks import Site

MOST_CAMERAS = 48
CAMERA_REGISTERS = 20
"""Input registers of one camera, from 20 times its place in the configuration. Two make a number, high one first."""
VERDICT, RESULTS, REGIONS, AREA, OK, NOT_OK, NOT_DECIDABLE, LIVE, MILLISECONDS = 0, 1, 3, 4, 6, 8, 10, 12, 13
HEARTBEAT, READY, LAST_SEQ, LATE, ENCODER_SEEN = 1000, 1001, 1002, 1004, 1006
"""Input registers of the device."""
ALERT_SEQ, ALERT_CAMERA, ALERT_TYPE, ALERT_VERDICT, ALERT_REGIONS, ALERT_AREA, ALERT_TIME = (
    1100, 1102, 1103, 1104, 1105, 1106, 1108,
)  # fmt: skip
"""Input registers of the alert that waits for its number to be written to `ACKNOWLEDGE`; number 0 for none."""
ACKNOWLEDGE, ENCODER = 0, 2
"""Holding registers the PLC writes: the number of the alert it has, and its encoder."""
REJECT = 0
"""The coil, and the discrete input, of the reject pulse; discrete input 1 is `ready`, 16 and up a camera's NotOK."""

_TYPES = {"new": 1, "update": 2, "end": 3, "summary": 4}
_INPUTS, _BITS = 1110, 64
_BEAT_S = 1.0
_ACKNOWLEDGE_S = 0.05


def create(name: str, config: ModbusConfig, site: Site) -> Modbus:
    """Make the Modbus sink `name`. Raises ConfigError."""
    if len(site.cameras) > MOST_CAMERAS:
        raise ConfigError(f"sinks.{name}: registers are there for {MOST_CAMERAS} cameras: run more devices")
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # what a client does wrong, it is told
    return Modbus(config, site)


class Modbus:
    """A server on which a PLC looks, at its own pace; it never makes us wait."""

    def __init__(self, config: ModbusConfig, site: Site) -> None:
        self._config = config
        self._site = site
        self._inputs = [0] * _INPUTS
        self._holding = [0] * 4
        self._bits = [False] * _BITS
        self._shown: Stored | None = None
        self._counts = dict.fromkeys(site.cameras, 0)
        self._rejector = Rejector(config.reject) if config.reject else None
        self._beat_s = self._alerts_s = 0.0
        self._background = Background("modbus")
        self._server: ModbusTcpServer

    def __enter__(self) -> Self:
        self._background.__enter__()
        try:
            self._server = self._background.call(self._listen())
        except (OSError, RuntimeError, TimeoutError) as error:
            self._background.__exit__()
            raise SinkError(f"{self}: can't listen: give another sinks.NAME.port, or the right to use it") from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._background.call(self._server.shutdown())
        self._background.__exit__()

    def __str__(self) -> str:
        return f"Modbus TCP on {self._config.host}:{self._config.port}"

    def turn(self, desk: Desk) -> float:
        now = self._site.clock.monotonic_s()
        if self._rejector:
            self._rejector.count(self._number(ENCODER), now)
        for passing in desk.results():
            self._show(passing)
            if self._rejector:
                self._rejector.see(passing.camera, passing.result, passing.captured_mono_s, now)
        soon = now - self._alerts_s < _ACKNOWLEDGE_S
        if not soon:
            self._alerts_s = now
            self._exchange_alerts(desk)
        if now - self._beat_s >= _BEAT_S:
            self._beat_s = now
            self._show_health(desk.health)
        wait_s = _ACKNOWLEDGE_S if self._shown or soon else _BEAT_S
        if self._rejector:
            self._bits[REJECT] = self._rejector.level(now)
            self._put(LATE, self._rejector.late)
            self._put(ENCODER_SEEN, self._rejector.counted)
            wait_s = min(wait_s, self._rejector.wait_s(now))
        return wait_s

    # --- what is shown

    def _show(self, passing: Passing) -> None:
        place = self._site.cameras.index(passing.camera)
        base, result = place * CAMERA_REGISTERS, passing.result
        verdict = Verdict[result["result_evaluation"]]
        regions = result["regions"]
        self._counts[passing.camera] += 1
        self._put(base + REGIONS, len(regions), 1)
        self._put(base + AREA, sum(region["area_px"] for region in regions))
        self._put(base + MILLISECONDS, round(result["processing_times"]["total"] * 1000), 1)
        total = {Verdict.OK: OK, Verdict.NotOK: NOT_OK, Verdict.NotDecidable: NOT_DECIDABLE}.get(verdict)
        if total is not None:
            self._put(base + total, self._input(base + total) + 1)
        self._put(base + VERDICT, verdict.value, 1)
        self._put(base + RESULTS, self._counts[passing.camera])  # last: a PLC that sees it change may read the rest
        self._bits[16 + place] = verdict is Verdict.NotOK

    def _show_health(self, health: Mapping[str, Any]) -> None:
        self._put(HEARTBEAT, self._inputs[HEARTBEAT] + 1, 1)
        self._put(READY, int(bool(health.get("ready"))), 1)
        self._bits[1] = bool(health.get("ready"))
        outbox = health.get("outbox") or {}
        self._put(LAST_SEQ, int(outbox.get("last_seq") or 0))
        for place, name in enumerate(self._site.cameras):
            camera = (health.get("cameras") or {}).get(name) or {}
            self._put(place * CAMERA_REGISTERS + LIVE, int(camera.get("state") == "live"), 1)

    def _exchange_alerts(self, desk: Desk) -> None:
        """Show the oldest alert until the PLC has written its number; without `acknowledge`, the newest."""
        if not self._config.acknowledge:
            alerts = desk.alerts(100)
            if alerts:
                self._show_alert(alerts[-1])
                desk.take(*alerts)
            return
        if self._shown is not None and self._number(ACKNOWLEDGE) == self._shown.seq % (1 << 32):
            desk.take(self._shown)
            self._shown = None
        if self._shown is None:
            self._shown = next(iter(desk.alerts(1)), None)
            self._show_alert(self._shown)

    def _show_alert(self, alert: Stored | None) -> None:
        if alert is None:
            self._put(ALERT_SEQ, 0)
            return
        fields = alert.fields()
        regions: Sequence[Mapping[str, Any]] = fields.get("regions") or ()
        cameras = self._site.cameras
        self._put(ALERT_CAMERA, cameras.index(alert.camera) if alert.camera in cameras else 0xFFFF, 1)
        self._put(ALERT_TYPE, _TYPES.get(alert.type, 0), 1)
        self._put(ALERT_VERDICT, int(fields.get("result_evaluation_code") or 0), 1)
        self._put(ALERT_REGIONS, len(regions), 1)
        self._put(ALERT_AREA, sum(int(region.get("area_px") or 0) for region in regions))
        self._put(ALERT_TIME, int(alert.committed_at))
        self._put(ALERT_SEQ, alert.seq)

    def _put(self, address: int, value: int, registers: int = 2) -> None:
        if registers == 1:
            self._inputs[address] = value & 0xFFFF
        else:
            self._inputs[address : address + 2] = [value >> 16 & 0xFFFF, value & 0xFFFF]

    def _input(self, address: int) -> int:
        return self._inputs[address] << 16 | self._inputs[address + 1]

    def _number(self, address: int) -> int:
        return self._holding[address] << 16 | self._holding[address + 1]

    # --- the server, on the background's thread

    async def _listen(self) -> ModbusTcpServer:
        bits, words = DataType.BITS, DataType.REGISTERS
        device = SimDevice(
            id=self._config.device_id,
            simdata=(
                [SimData(0, values=[False] * _BITS, datatype=bits)],
                [SimData(0, values=[False] * _BITS, datatype=bits)],
                [SimData(0, count=len(self._holding), datatype=words)],
                [SimData(0, count=_INPUTS, datatype=words)],
            ),
            action=self._access,
        )
        identity = ModbusDeviceIdentification(
            info_name={"VendorName": "edgeloupe", "ProductCode": "edgeloupe", "MajorMinorRevision": __version__}
        )
        server = ModbusTcpServer(device, identity=identity, address=(self._config.host, self._config.port))
        await server.serve_forever(background=True)
        return server

    async def _access(
        self, function: int, start: int, address: int, count: int, block: list[int], values: Sequence[int] | None
    ) -> ExcCodes | None:
        """Fill what is read from our own numbers, in one step; take what the PLC may write, and refuse the rest."""
        del start, count
        if function in (1, 2):
            block[: _BITS // 16] = [
                sum(bit << n for n, bit in enumerate(self._bits[at : at + 16])) for at in range(0, _BITS, 16)
            ]
        elif function == 4:
            block[:_INPUTS] = self._inputs
        elif function in (5, 15):
            return ExcCodes.ILLEGAL_FUNCTION
        elif values:
            self._holding[address : address + len(values)] = values
        return None
