// The dashboard: what the stream tells goes to the parts of the page; a clock decides what is still live.
import { AlertDialog } from "./alert_dialog.js";
import { Alerts } from "./alerts.js";
import { showBanner, troubleOf } from "./banner.js";
import { showClasses } from "./classes.js";
import { showDevice } from "./device.js";
import { byId, seconds } from "./format.js";
import { LivePicture } from "./live_picture.js";
import { remember, remembered, wireTheme } from "./settings.js";
import { Stream } from "./stream.js";
import { showTabs } from "./tabs.js";
import { showTally, showVerdict } from "./verdict.js";

const TICK_MS = 250;
const TITLE_MARKS = { OK: "✓", NotOK: "✕", NotDecidable: "?" };

let frame = null; // the last one of the chosen camera
let frameAt = 0; // when it came, on this page's clock
let health = null;
let chosen = decodeURIComponent(location.hash.slice(1)) || remembered("camera", null);

const picture = new LivePicture(byId("picture"));
const alerts = new Alerts((id) => dialog.open(id));
const dialog = new AlertDialog(() => alerts);

const stream = new Stream({
  opened: () => alerts.load(),
  missed: () => alerts.load(),
  alert: (message) => alerts.add(message),
  frame: takeFrame,
  health: takeHealth,
});

function takeFrame(next) {
  if (chosen && next.camera !== chosen) return;
  frame = next;
  frameAt = performance.now();
  alerts.colours = { labels: next.labels, colours: next.colours };
  picture.show(next);
  showClasses(next);
  tick();
}

function takeHealth(next) {
  health = next;
  const names = next.cameras.map((camera) => camera.name);
  alerts.manyCameras = names.length > 1;
  if (names.length && !names.includes(chosen)) choose(names[0]);
  if (next.model) alerts.colours = { labels: next.model.labels ?? [], colours: next.model.colours ?? [] };
  showTabs(next.cameras, chosen, choose);
  showDevice(next, current());
  showTally(current());
  tick();
}

function choose(name) {
  chosen = name;
  remember("camera", name);
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  byId("calibrate").href = `calibrate.html#${encodeURIComponent(name)}`;
  frame = null;
  picture.clear();
  stream.watch(name);
  if (health) takeHealth(health);
}

const current = () => health?.cameras.find((camera) => camera.name === chosen);

// Age of what is shown: as the device measured it, and the time it has been lying here.
const ageS = () => (frame ? frame.age_s + (performance.now() - frameAt) / 1000 : null);

function tick() {
  const age = ageS();
  const trouble = troubleOf({ stream, health, camera: current(), frame, ageS: age });
  const live = frame !== null && age <= frame.stale_after_s && !trouble?.blind;
  showBanner(trouble);
  showVerdict(frame, { live, ageS: age });
  showAge(age, live);
  document.title = `${live ? TITLE_MARKS[frame.result_evaluation] ?? "" : "–"} ${chosen ?? ""} · edgeloupe`;
}

function showAge(age, live) {
  const state = live ? "yes" : "no";
  byId("stage").dataset.live = state;
  byId("age").dataset.live = state;
  byId("classes").dataset.live = state;
  byId("health").dataset.live = !stream.lost && health?.core.answering ? "yes" : "no";
  byId("stage-empty").hidden = frame !== null;
  byId("age-text").textContent = frame === null ? "no picture" : live ? "Live" : `Not live: ${seconds(age)} old`;
  const label = frame === null ? "Live picture, none yet" : `${live ? "Live" : "Old"} picture of ${frame.camera}`;
  byId("picture").setAttribute("aria-label", label);
  const link = byId("link");
  link.dataset.state = stream.lost ? "lost" : "open";
  link.textContent = stream.lost ? "no connection" : "connected";
}

function wireOverlay() {
  const overlay = byId("overlay");
  const opacity = byId("opacity");
  overlay.checked = remembered("overlay", true);
  opacity.value = remembered("opacity", 60);
  const apply = () => {
    picture.overlay = overlay.checked;
    picture.opacity = opacity.value / 100;
    opacity.disabled = !overlay.checked;
    byId("opacity-text").textContent = `${opacity.value} %`;
    picture.draw();
  };
  for (const [input, name, value] of [[overlay, "overlay", () => overlay.checked], [opacity, "opacity", () => Number(opacity.value)]]) {
    input.addEventListener("input", () => {
      remember(name, value());
      apply();
    });
  }
  apply();
}

function wireWall() {
  const button = byId("wall");
  const set = (on) => {
    document.body.classList.toggle("wall", on);
    button.setAttribute("aria-pressed", String(on));
    remember("wall", on);
  };
  button.addEventListener("click", () => set(!document.body.classList.contains("wall")));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, dialog") || event.ctrlKey || event.metaKey || event.altKey;
    if (event.key.toLowerCase() === "w" && !typing) button.click();
  });
  set(remembered("wall", false));
}

wireTheme(byId("theme"));
wireOverlay();
wireWall();
// Pictures don't come to a page that nobody sees; the last one would look live on return.
document.addEventListener("visibilitychange", () => document.hidden && picture.clear());
stream.watch(chosen);
setInterval(tick, TICK_MS);
