// The banner: the one thing that is wrong and matters most, or nothing.
import { byId, seconds } from "./format.js";

const STARTING_MS = 2500;
const SILENT = new Set(["stalled", "failed", "refused", "damaged"]); // no picture comes: what is shown is the past
const CAMERA = {
  connecting: ["Camera connecting.", "waiting for its first picture"],
  stalled: ["Camera stalled.", "it gives no pictures; it is being restarted"],
  failed: ["Camera failed.", "it can't be opened; trying again"],
  refused: ["Camera refuses us.", "user name or password is wrong"],
  damaged: ["Pictures come damaged.", "check cable and network"],
  wrong_format: ["Pictures have another size or format.", "check the camera's settings"],
  clock: ["The camera's clock went back.", "old pictures came"],
  stale: ["The picture is old.", "none of it is judged"],
  frozen: ["The picture is frozen.", "the camera repeats itself"],
  dark: ["The picture is dark.", "check light and lens"],
  saturated: ["The picture is overexposed.", "check light and exposure"],
  noise: ["There is only noise.", "check cable and sensor"],
  covered: ["The lens is covered.", "clean or uncover it"],
  blurred: ["The picture is blurred.", "check focus and lens"],
  moved: ["The camera has moved.", "mount it as it was"],
  overheated: ["The camera is too hot.", "cool or shade it"],
};

// Gives { level, title, text, blind }; blind: what is shown must not pass for the present.
export function troubleOf({ stream, health, camera, frame, ageS }) {
  if (stream.lost) {
    if (performance.now() < STARTING_MS) return null;
    const since = health ? `Last news ${seconds(stream.silentMs / 1000)} ago; reconnecting.` : "Connecting.";
    return { level: "bad", title: "No connection to the device.", text: since, blind: true };
  }
  if (!health) return null;
  if (!health.core.answering) {
    const silent = health.core.age_s == null ? "It has not told anything yet." : `Silent for ${seconds(health.core.age_s)}.`;
    return { level: "bad", title: "The inspection does not answer.", text: `${silent} Its log says why: journalctl -u edgeloupe`, blind: true };
  }
  if (!health.model) return { level: "bad", title: "No model is running.", text: health.core.not_ready.join("; "), blind: true };
  const old = frame !== null && ageS > frame.stale_after_s;
  if (camera?.state === "finished") {
    return { level: "note", title: "The source has ended.", text: "The last picture is shown.", blind: old };
  }
  if (camera && camera.state in CAMERA) {
    const [title, otherwise] = CAMERA[camera.state];
    return { level: "bad", title, text: sentence(camera.detail || otherwise), blind: old || SILENT.has(camera.state) };
  }
  if (camera?.state === "waiting") return { level: "note", title: "Waiting for a picture.", text: sentence(camera.detail || "nothing has asked for one"), blind: old };
  if (old) return { level: "bad", title: "The picture is old.", text: `Taken ${seconds(ageS)} ago; no newer one has been inspected since.`, blind: true };
  if (camera?.drift_detail) return { level: "warn", title: "Light or colour drifts.", text: sentence(camera.drift_detail), blind: false };
  if (health.core.not_ready.length) return { level: "warn", title: "Not ready.", text: health.core.not_ready.join("; "), blind: false };
  return null;
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;

export function showBanner(trouble) {
  const banner = byId("banner");
  banner.hidden = !trouble;
  if (!trouble) return;
  banner.dataset.level = trouble.level;
  setText(byId("banner-title"), trouble.title);
  setText(byId("banner-text"), trouble.text);
}

// Only when it differs, or a screen reader repeats it at every tick.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
