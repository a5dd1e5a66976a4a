"""Run by a Python that has Home Assistant: a core with its MQTT integration and nothing else, told what to do.

Arguments: a folder for its files, the broker's port, and a JSON list of service calls; prints entities as JSON.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path
from typing import Any

from homeassistant import bootstrap, loader
from homeassistant.auth import auth_manager_from_config
from homeassistant.config_entries import ConfigEntries
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry
from homeassistant.setup import async_setup_component

ENTRY: dict[str, Any] = {
    "created_at": "2026-01-01T00:00:00+00:00",
    "modified_at": "2026-01-01T00:00:00+00:00",
    "disabled_by": None,
    "discovery_keys": {},
    "domain": "mqtt",
    "entry_id": "mqtt",
    "minor_version": 2,
    "options": {},
    "pref_disable_new_entities": False,
    "pref_disable_polling": False,
    "source": "user",
    "subentries": [],
    "title": "broker",
    "unique_id": None,
    "version": 1,
}


async def run(folder: Path, port: int, calls: list[tuple[str, str, dict[str, Any]]]) -> list[dict[str, Any]]:
    (folder / ".storage").mkdir(parents=True, exist_ok=True)
    entries = [{**ENTRY, "data": {"broker": "127.0.0.1", "port": port}}]
    store = {"version": 1, "minor_version": 5, "key": "core.config_entries", "data": {"entries": entries}}
    (folder / "configuration.yaml").touch()
    (folder / ".storage" / "core.config_entries").write_text(json.dumps(store), encoding="utf-8")
    hass = HomeAssistant(str(folder))
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth_manager_from_config(hass, [{"type": "homeassistant"}], [])
    with socket.create_server(("127.0.0.1", 0)) as probe:
        web = {"server_host": "127.0.0.1", "server_port": probe.getsockname()[1]}
    for component in ("homeassistant", "http", "mqtt"):
        if not await async_setup_component(hass, component, {"http": web}):
            raise SystemExit(f"{component} was not set up")
    await hass.async_start()
    found: list[Any] = []
    for _ in range(200):  # until it has heard what is retained
        found = list(entity_registry.async_get(hass).entities.values())
        states = [hass.states.get(entity.entity_id) for entity in found]
        if found and all(state is not None and state.state != "unavailable" for state in states):
            break
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)  # states follow entities
    by_unique_id = {entity.unique_id: entity.entity_id for entity in found}
    for domain, service, data in calls:
        target = {**data, "entity_id": by_unique_id[data["entity_id"]]}
        await hass.services.async_call(domain, service, target, blocking=True)
    told = []
    for entity in found:
        state = hass.states.get(entity.entity_id)
        attributes = {key: str(value) for key, value in state.attributes.items()} if state else {}
        told.append(
            {"unique_id": entity.unique_id, "domain": entity.domain, "state": state and state.state, **attributes}
        )
    await hass.async_stop(force=True)
    return told


if __name__ == "__main__":
    print("FOUND " + json.dumps(asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])))))
