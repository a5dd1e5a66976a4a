// The device's health: readings, a table when there are several cameras, and the model in use.
import { byId, bytes, count, element, seconds } from "./format.js";

const WARM_C = 80;
const LOW_DISK = 1e9;

export function showDevice(health, camera) {
  byId("device").textContent = health.device ?? "";
  const items = [...cameraReadings(camera), ...deviceReadings(health)];
  byId("readings").replaceChildren(...items.map(([name, value, note, level]) =>
    element("div", { "data-level": level || null },
      element("dt", { text: name }),
      element("dd", {}, element("b", { text: value }), note ? element("span", { text: note }) : null))));
  showCameras(health.cameras ?? []);
  showModel(health);
}

function cameraReadings(camera) {
  if (!camera) return [];
  const live = camera.state === "live";
  const sound = ["live", "waiting", "finished"].includes(camera.state);
  return [
    ["Camera", camera.state.replace("_", " "), camera.detail, sound ? "" : "bad"],
    ["Rate", live ? `${(camera.fps ?? 0).toFixed(1)} /s` : "–", "pictures inspected"],
    ["Picture age", seconds(camera.age_s), live && !camera.live ? "not live" : "", camera.live ? "" : "bad"],
    ["Processing", seconds(camera.total_s), camera.inference_s == null ? "" : `network ${seconds(camera.inference_s)}`],
    ["Not inspected", count(camera.dropped), "overtaken by newer"],
    ["Restarts", count(camera.restarts), "of the camera", camera.restarts ? "warn" : ""],
    ...troubleReadings(camera),
  ];
}

function troubleReadings({ troubles, temperature_c: heat, drift }) {
  const items = [];
  const began = Object.entries(troubles ?? {}).sort((a, b) => b[1] - a[1]);
  if (began.length) items.push(["Faults", count(began.reduce((sum, [, times]) => sum + times, 0)), began.slice(0, 3).map(([kind, times]) => `${kind.replace("_", " ")} ${times}`).join(", "), "warn"]);
  if (heat != null) items.push(["Sensor", `${Math.round(heat)} °C`, "", heat > WARM_C ? "warn" : ""]);
  if (drift != null) items.push(["Light", `${drift > 0 ? "+" : ""}${Math.round(drift)}`, "grey levels off calibration", ""]);
  return items;
}

function deviceReadings(health) {
  const { mqtt, outbox, storage } = health;
  const pending = outbox?.pending ?? 0;
  const items = [];
  if (health.recipe_id) items.push(["Recipe", health.recipe_id, "in force"]);
  if (health.refused_model) items.push(["Taken back", health.refused_model.bundle, health.refused_model.reason, "warn"]);
  if (mqtt) {
    const state = !mqtt.configured ? "off" : mqtt.connected ? "connected" : "disconnected";
    const published = mqtt.configured ? `${count(mqtt.published)} published` : "not configured";
    items.push(["MQTT", state, state === "disconnected" ? mqtt.detail : published, state === "disconnected" ? "bad" : ""]);
  }
  if (outbox) items.push(["Backlog", count(pending), "alerts to deliver", pending && mqtt?.configured ? "warn" : ""]);
  if (storage) items.push(["Disk free", bytes(storage.free_bytes), storage.detail || `evidence ${bytes(storage.evidence_bytes)}`, storage.detail ? "bad" : storage.free_bytes < LOW_DISK ? "warn" : ""]);
  if (storage?.evidence_lost) items.push(["Pictures lost", count(storage.evidence_lost), "alerts without theirs", "warn"]);
  if (health.cpu_temperature_c != null) items.push(["Processor", `${Math.round(health.cpu_temperature_c)} °C`, "", health.cpu_temperature_c > WARM_C ? "warn" : ""]);
  const memory = Object.values(health.processes ?? {}).reduce((sum, process) => sum + (process.rss_bytes ?? 0), 0);
  if (memory) items.push(["Memory", bytes(memory), `${Object.keys(health.processes).length} processes`]);
  if (health.uptime_s != null) items.push(["Up for", seconds(health.uptime_s), `edgeloupe ${health.version ?? ""}`]);
  return items;
}

function showCameras(cameras) {
  const holder = byId("camera-table");
  holder.hidden = cameras.length < 2;
  if (holder.hidden) return;
  const head = element("tr", {}, ...["Camera", "State", "Rate", "Age", "Frames"].map((text, i) =>
    element("th", { scope: "col", class: i > 1 ? "n" : null, text })));
  const rows = cameras.map((camera) => element("tr", {},
    element("th", { scope: "row", text: camera.name }),
    element("td", {}, element("span", { class: `chip ${(camera.state === "live" && camera.live) || camera.state === "waiting" ? "good" : "bad"}`, text: camera.state.replace("_", " ") })),
    element("td", { class: "n", text: `${(camera.fps ?? 0).toFixed(1)} /s` }),
    element("td", { class: "n", text: seconds(camera.age_s) }),
    element("td", { class: "n", text: count(camera.frames) })));
  holder.replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

function showModel({ model }) {
  const line = byId("model");
  if (!model) {
    line.textContent = "No model loaded.";
    return;
  }
  line.replaceChildren(element("b", { text: model.name }), ` release ${model.release} · ${model.target} ${model.precision} · `,
    element("code", { text: model.sha256.slice(0, 12), title: model.sha256 }));
}
