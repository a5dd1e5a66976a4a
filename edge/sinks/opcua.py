"""OPC UA: a server with one vision system (OPC 40100-1) per camera, counts, alerts on request, and a reject output."""

from __future__ import annotations

import hmac
import json
import logging
import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from asyncua import Node, Server, ua
from asyncua.crypto.permission_rules import User, UserRole

from edge import __version__
from edge.errors import ConfigError, OutboxError, SinkError
from edge.inspection import Verdict
from edge.outbox.follow import AlertLog
from edge.outputs.background import Background
from edge.outputs.machine_vision import (
    COMPLETED,
    ERROR,
    OPERATIONAL,
    PREOPERATIONAL,
    Model,
    VisionSystem,
    add_vision_system,
    declare,
    show_result,
    show_state,
)
from edge.outputs.reject import Rejector
from edge.written import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge.outputs.courier import Desk, Passing
    from edge.sink_config import OpcuaConfig
    from edge.sinks import Site

NAMESPACE = "urn:edgeloupe:device"
"""Ours, beside that of OPC 40100-1."""
MOST_ALERTS = 100
"""ReadAlerts gives at most so many at once."""

_HEALTH_S = 1.0
_ALERTS_AT_ONCE = 50
_ALERTS_S = 0.05
_START_S = 60.0  # building the standard address space takes a small device long
_ALERT_FIELDS = {"Epoch": "String", "Seq": "UInt64", "Camera": "String", "AlertId": "String", "Type": "String"}
_COUNTS = ("Inspected", "OK", "NotOK", "NotDecidable")


def create(name: str, config: OpcuaConfig, site: Site) -> Opcua:
    """Make the OPC UA sink `name`. Raises ConfigError."""
    password = config.secret(name)
    if config.username is not None and not password:
        raise ConfigError(f"sinks.{name}.username: has no password: give secret_file")
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # clients' mistakes are answered to them
    return Opcua(config, password, site)


class _Users:
    """Lets in one user by name and password, or everybody where no name is configured."""

    def __init__(self, username: str | None, password: str | None) -> None:
        self._username, self._password = username, password or ""

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        """Say who it is; None for nobody."""
        del iserver, certificate
        if self._username is None:
            return User(role=UserRole.User)
        known = username == self._username and hmac.compare_digest((password or "").encode(), self._password.encode())
        return User(role=UserRole.User, name=username) if known else None


class Opcua:
    """A server that clients look at, subscribe to and ask, at their own pace; they never make us wait."""

    def __init__(self, config: OpcuaConfig, password: str | None, site: Site) -> None:
        self._config = config
        self._site = site
        self._users = _Users(config.username, password)
        self._rejector = Rejector(config.reject) if config.reject else None
        self._reject_level: bool | None = None
        self._encoder_seen = 0
        self._health_s = self._alerts_s = 0.0
        self._background = Background("opcua")
        self._systems: dict[str, VisionSystem] = {}
        self._counts: dict[str, dict[str, Node]] = {}
        self._totals = {name: dict.fromkeys(_COUNTS, 0) for name in site.cameras}
        self._log = AlertLog(site.state_dir / "outbox.sqlite")
        self._server: Server
        self._model: Model
        self._device: dict[str, Node]
        self._alert: Any

    def __enter__(self) -> Self:
        self._background.__enter__()
        try:
            self._background.call(self._start(), _START_S)
        except (OSError, TimeoutError, ua.UaError) as error:
            self._background.__exit__()
            raise SinkError(f"{self}: can't listen: {error}: give another sinks.NAME.port, or its files") from error
        except BaseException:
            self._background.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(TimeoutError):
            self._background.call(self._server.stop())
        self._background.__exit__()

    def __str__(self) -> str:
        return f"OPC UA on opc.tcp://{self._config.host}:{self._config.port}"

    def turn(self, desk: Desk) -> float:
        now = self._site.clock.monotonic_s()
        waits = [_HEALTH_S]
        passing = list(desk.results())
        if self._rejector:
            waits.append(self._reject(self._rejector, passing, now))
        if passing:
            self._background.call(self._show(passing))
        soon = now - self._alerts_s < _ALERTS_S
        alerts = [] if soon else desk.alerts(_ALERTS_AT_ONCE)
        if not soon:
            self._alerts_s = now
        if alerts:
            self._background.call(self._announce([alert.fields() for alert in alerts]))
            desk.take(*alerts)
        if soon or alerts:
            waits.append(_ALERTS_S)
        if now - self._health_s >= _HEALTH_S:
            self._health_s = now
            self._background.call(self._show_health(desk.health))
        return min(waits)

    def _reject(self, rejector: Rejector, passing: Sequence[Passing], now: float) -> float:
        rejector.count(self._background.call(self._device["Encoder"].read_value()), now)
        for one in passing:
            rejector.see(one.camera, one.result, one.captured_mono_s, now)
        if rejector.counted != self._encoder_seen:
            self._encoder_seen = rejector.counted
            self._background.call(self._device["EncoderSeen"].write_value(self._encoder_seen, ua.VariantType.UInt32))
        level = rejector.level(now)
        if level != self._reject_level:
            self._reject_level = level
            self._background.call(self._device["Reject"].write_value(level))
        return rejector.wait_s(now)

    # --- on the background's thread

    async def _start(self) -> None:
        config = self._config
        socket.create_server(
            (config.host, config.port)
        ).close()  # tell at once when it is taken: the rest takes seconds
        server = Server(user_manager=self._users)
        await server.init()
        server.set_endpoint(f"opc.tcp://{config.host}:{config.port}/edgeloupe")
        server.set_server_name(f"edgeloupe {self._site.device}")
        await server.set_application_uri(f"urn:edgeloupe:{self._site.device}")
        await server.set_build_info(
            "urn:edgeloupe", "edgeloupe", "edgeloupe", __version__, __version__, datetime.now(UTC)
        )
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        if config.certificate is not None and config.key is not None:
            server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
            await _load(server.load_certificate, config.certificate)
            await _load(server.load_private_key, config.key)
        server.set_identity_tokens([ua.AnonymousIdentityToken if config.username is None else ua.UserNameIdentityToken])
        self._server = server
        await self._furnish(server)
        await server.start()

    async def _furnish(self, server: Server) -> None:
        """Put everything into the address space."""
        self._model = await declare(server)
        own = await server.register_namespace(NAMESPACE)
        for name in self._site.cameras:
            system = await add_vision_system(self._model, name)
            self._systems[name] = system
            self._counts[name] = {
                what: await system.node.add_variable(own, what, 0, ua.VariantType.UInt32) for what in _COUNTS
            }
            self._counts[name]["Evaluation"] = await system.node.add_variable(
                own, "ResultEvaluation", Verdict.Undefined.value, ua.VariantType.UInt16
            )
        device = await server.nodes.objects.add_object(own, self._site.device)
        variables = {"Ready": (False, "Boolean"), "LastSeq": (0, "UInt64"), "Epoch": ("", "String")}
        if self._rejector:
            variables |= {
                "Reject": (False, "Boolean"),
                "Encoder": (0, "UInt32"),
                "Late": (0, "UInt32"),
                "EncoderSeen": (0, "UInt32"),
            }
        self._device = {
            what: await device.add_variable(own, what, value, getattr(ua.VariantType, kind))
            for what, (value, kind) in variables.items()
        }
        if self._rejector and self._config.username is not None:
            await self._device["Encoder"].set_writable()
        properties = [(name, getattr(ua.VariantType, kind)) for name, kind in _ALERT_FIELDS.items()]
        properties += [("Evaluation", ua.VariantType.UInt16), ("Json", ua.VariantType.String)]
        kind = await server.create_custom_event_type(own, "AlertEventType", ua.ObjectIds.BaseEventType, properties)
        self._alert = await server.get_event_generator(kind, device)
        await device.add_method(
            own,
            "ReadAlerts",
            self._read_alerts,
            [ua.VariantType.UInt64, ua.VariantType.UInt32],
            [ua.VariantType.String, ua.VariantType.String],
        )

    async def _read_alerts(self, parent: ua.NodeId, above: Any, limit: Any) -> Sequence[ua.Variant]:
        """Give the epoch and the alerts above a number as a JSON array, so that a client that was away misses none."""
        del parent
        try:
            rows = self._log.above(int(above.Value), min(int(limit.Value), MOST_ALERTS))
            told = json.dumps([row.fields() for row in rows], separators=(",", ":"))
            epoch = self._log.epoch or ""
        except OutboxError as error:
            raise ua.UaStatusCodeError(ua.StatusCodes.BadResourceUnavailable) from error
        return [ua.Variant(epoch, ua.VariantType.String), ua.Variant(told, ua.VariantType.String)]

    async def _show(self, passing: Sequence[Passing]) -> None:
        for one in passing:
            verdict = Verdict[one.result["result_evaluation"]]
            totals, nodes = self._totals[one.camera], self._counts[one.camera]
            for what in ("Inspected", verdict.name):
                if what in totals:
                    totals[what] += 1
                    await nodes[what].write_value(totals[what], ua.VariantType.UInt32)
            await nodes["Evaluation"].write_value(verdict.value, ua.VariantType.UInt16)
            await show_result(self._systems[one.camera], self._result(one.result))

    def _result(self, result: Mapping[str, Any]) -> Any:
        """Write one inspection as ResultDataType; its content is the verdict's code and the whole result as JSON."""
        make, times = self._model.make, result["processing_times"]
        created = datetime.fromisoformat(result["creation_time"])
        model = result["model"]
        return make(
            "ResultDataType",
            ResultId=make("ResultIdDataType", Id=result["result_id"]),
            HasTransferableDataOnFile=False,
            IsPartial=False,
            IsSimulated=bool(result["is_simulated"]),
            ResultState=COMPLETED,
            PartId=make("PartIdDataType", Id=str(result["part_id"])) if result["part_id"] is not None else None,
            InternalRecipeId=make("RecipeIdInternalDataType", Id=str(result["recipe_id"] or model["name"])),
            InternalConfigurationId=make(
                "ConfigurationIdDataType",
                Id=f"{model['name']} release {model['release']}",
                Hash=model["sha256"].encode(),
            ),
            JobId=make("JobIdDataType", Id=str(result["job_id"] or result["frame"]["id"])),
            CreationTime=created,
            ProcessingTimes=make(
                "ProcessingTimesDataType",
                StartTime=created - timedelta(seconds=times["total"]),
                EndTime=created,
                AcquisitionDuration=times["acquisition"] * 1000,  # Duration is in milliseconds, OPC 10000-3
                ProcessingDuration=(times["total"] - times["acquisition"]) * 1000,
            ),
            ResultContent=[
                ua.Variant(Verdict[result["result_evaluation"]].value, ua.VariantType.UInt16),
                ua.Variant(dumps(result), ua.VariantType.String),
            ],
        )

    async def _announce(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        for fields in alerts:
            event = self._alert.event
            event.Epoch, event.Seq, event.Camera = fields["epoch"], fields["seq"], fields["camera"]
            event.AlertId, event.Type = fields["alert_id"], fields["type"]
            event.Evaluation = int(fields.get("result_evaluation_code") or 0)
            event.Json = json.dumps(fields, separators=(",", ":"))
            event.Severity = 700 if fields["type"] == "new" else 400  # OPC 10000-5: 1 to 1000, most urgent last
            reasons = "; ".join(str(reason) for reason in fields.get("reasons") or ())
            await self._alert.trigger(message=f"{fields['camera']}: {reasons or fields['type']}")

    async def _show_health(self, health: Mapping[str, Any]) -> None:
        outbox = health.get("outbox") or {}
        await self._device["Ready"].write_value(bool(health.get("ready")))
        await self._device["LastSeq"].write_value(int(outbox.get("last_seq") or 0), ua.VariantType.UInt64)
        await self._device["Epoch"].write_value(str(outbox.get("epoch") or ""))
        if self._rejector:
            await self._device["Late"].write_value(self._rejector.late, ua.VariantType.UInt32)
        for name, system in self._systems.items():
            camera = (health.get("cameras") or {}).get(name) or {}
            if camera.get("state") in ("failed", "stalled"):
                state = ERROR
            else:
                live = camera.get("state") in ("live", "finished") and health.get("model")
                state = OPERATIONAL if live else PREOPERATIONAL
            await show_state(self._model, system, state)


async def _load(load: Any, path: Path) -> None:
    """Load a PEM file into the server. Raises ConfigError."""
    try:
        await load(path, format="pem")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "is no such PEM file"
        raise ConfigError(f"{path}: {reason}: give the server's certificate and its key, unencrypted") from error
