// The calibration page: asks how the calibration stands, several times a second, and shows the step it is at.
import { Device } from "./calibrate_api.js";
import { CalibrationPicture } from "./calibrate_picture.js";
import { byId, element } from "./format.js";
import { remember, remembered, wireTheme } from "./settings.js";

const POLL_MS = 200;
const UNSEEN_MS = 5000; // while nobody sees the page
const STEPS = ["board", "views", "plane", "result"];
const STEP_OF = { starting: "views", views: "views", plane: "plane", fitting: "plane", fitted: "result", saved: "result" };
const PAPERS = [["A4", 297, 210], ["A3", 420, 297], ["A2", 594, 420]];
const MARGINS_MM = [20, 32];

const device = new Device();
const picture = new CalibrationPicture(byId("picture"));
const form = byId("board-form");
let told = { phase: "none" };
let shown = 0; // number of the picture that is shown
let timer = 0;
let round = 0; // a later round ends the earlier one

// --- the board

function board() {
  const [kind, columns, rows, square, marker] = ["kind", "columns", "rows", "square", "marker"].map((id) => byId(id).value);
  return `${kind}:${columns}x${rows}:${Number(square)}${kind === "chess" ? "" : `:${Number(marker)}`}`;
}

function sizeMm() {
  const [columns, rows, square, marker] = ["columns", "rows", "square", "marker"].map((id) => Number(byId(id).value));
  const step = byId("kind").value === "aruco" ? square + marker : square;
  const less = byId("kind").value === "aruco" ? marker : 0;
  return [columns * step - less, rows * step - less];
}

function showBoard() {
  const kind = byId("kind").value;
  const markers = kind === "aruco";
  byId("columns-name").textContent = markers ? "Markers across" : "Squares across";
  byId("rows-name").textContent = markers ? "Markers down" : "Squares down";
  byId("square-name").textContent = markers ? "Marker, mm" : "Square, mm";
  byId("marker-name").textContent = markers ? "Gap, mm" : "Marker, mm";
  byId("marker-field").hidden = kind === "chess";
  byId("marker").disabled = kind === "chess";
  const [width, height] = sizeMm();
  const needs = [width + MARGINS_MM[0], height + MARGINS_MM[1]].sort((a, b) => b - a);
  const paper = PAPERS.find(([, long, short]) => needs[0] <= long && needs[1] <= short);
  byId("paper").textContent = `${round1(width)} × ${round1(height)} mm: ${paper ? `fits ${paper[0]}` : "needs more than A2"}.`;
  byId("print").href = `api/v1/board.svg?${new URLSearchParams({ board: board() })}`;
  remember("board", Object.fromEntries(["kind", "columns", "rows", "square", "marker"].map((id) => [id, byId(id).value])));
}

const round1 = (value) => Math.round(10 * value) / 10;

async function listCameras(again = false) {
  let cameras;
  try {
    cameras = await device.cameras();
    if (again) complain("");
  } catch (error) {
    complain(error.message);
    setTimeout(() => listCameras(true), UNSEEN_MS);
    return;
  }
  const wanted = decodeURIComponent(location.hash.slice(1)) || remembered("camera", null);
  byId("camera").replaceChildren(...cameras.map(({ name }) => element("option", { value: name, text: name, selected: name === wanted })));
  byId("begin").disabled = cameras.length === 0; // or a browser says no more than "select an item"
}

// --- what the device tells

function show(next) {
  told = next;
  const step = STEP_OF[told.phase] ?? "board";
  for (const [i, name] of STEPS.entries()) {
    byId(`step-${name}`).dataset.state = name === step ? "now" : i < STEPS.indexOf(step) ? "done" : "later";
  }
  document.body.dataset.step = step;
  byId("end").hidden = step === "board" || told.phase === "saved";
  byId("which").textContent = told.camera ?? "";
  if (step === "board") return showNothing();
  byId("board-told").hidden = false;
  byId("board-told").textContent = `${told.board ?? board()} on ${told.camera ?? "…"}`;
  if (told.trouble !== undefined) complain(told.trouble);
  if (told.phase === "starting") return say("Starting…");
  showSighting();
  showViews();
  showResult();
  say(adviceFor());
}

function showNothing() {
  picture.clear();
  shown = 0;
  byId("stage-empty").hidden = false;
  byId("sighting").hidden = true;
  byId("views-count").textContent = "";
  if (told.phase === "ended") complain(told.trouble);
  say("Print a board, stick it to something flat and stiff, and begin.");
}

function adviceFor() {
  const { phase, advice, still } = told;
  if (phase === "views") return still >= 1 ? `Kept. Next, ${advice}.` : `${advice[0].toUpperCase()}${advice.slice(1)}.`;
  if (phase === "plane") return "Lay the board where parts will lie, and take your hands away.";
  if (phase === "fitting") return "Measuring…";
  if (phase === "fitted") return told.result.mm_per_px ? "This is the plane, seen from straight above. Are its lines straight?" : "This is the picture without the lens's bend. Are its lines straight?";
  return phase === "saved" ? "The calibration is saved." : "";
}

function showSighting() {
  const looking = told.phase === "views" || told.phase === "plane";
  const { seen, still } = told;
  byId("sighting").hidden = !looking || !shown;
  byId("sighting").dataset.live = seen ? "yes" : "no";
  byId("sighting-text").textContent = !seen ? "Board not seen" : `${seen.length} corners, ${still >= 1 ? "still" : "moving"}`;
}

function showViews() {
  const { kept, wanted, fewest, cells, leans } = told;
  byId("views-count").textContent = `${kept} of ${wanted}`;
  byId("cells").replaceChildren(...cells.map((on) => element("span", { "data-on": on ? "yes" : "no" })));
  for (const lean of document.querySelectorAll(".lean")) lean.dataset.on = leans.includes(lean.dataset.lean) ? "yes" : "no";
  const parts = `${cells.filter(Boolean).length} of ${cells.length} parts of the picture, ${leans.length} of 4 tilts`;
  byId("coverage").setAttribute("aria-label", `Covered so far: ${parts}`);
  byId("enough").dataset.ready = cells.every(Boolean) && leans.length === 4 ? "yes" : "no";
  byId("enough").disabled = kept < fewest - 1; // the plane is one more
  byId("measure").disabled = !told.seen || told.still < 1;
  byId("lens").disabled = kept < fewest || told.phase === "fitting";
}

function showResult() {
  const { result } = told;
  if (!result) return;
  const figures = [
    ["Reprojection error", `${result.error_px.toFixed(2)} px`, `mean of ${result.views} views`],
    ["Scale", result.mm_per_px ? `${result.mm_per_px.toPrecision(4)} mm/px` : "–", result.mm_per_px ? "on the plane" : "without a plane"],
    ["Straightened", `${result.width} × ${result.height}`, "pixels"],
  ];
  byId("figures").replaceChildren(...figures.map(([name, value, note]) =>
    element("div", {}, element("dt", { text: name }), element("dd", {}, element("b", { text: value }), element("span", { text: note })))));
  byId("judgement").dataset.good = result.good ? "yes" : "no";
  byId("judgement").textContent = result.good ? "Good: at most 0.3 px." : "Above 0.3 px: is the board flat, the picture sharp, the size of a square right?";
  const saved = told.phase === "saved";
  byId("saved").hidden = !saved;
  byId("result-actions").hidden = saved;
  byId("yaml").textContent = result.yaml;
}

function complain(text) {
  byId("banner").hidden = !text;
  setText(byId("trouble"), text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "");
}

const say = (text) => setText(byId("advice"), text);

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text; // or a screen reader repeats it
}

// --- asking

async function poll(mine) {
  clearTimeout(timer);
  try {
    const next = await device.told();
    if (mine !== round) return;
    if (next.picture && next.picture !== shown && !document.hidden) {
      const blob = await device.picture();
      if (blob.size) await picture.show(blob, next);
      shown = blob.size ? next.picture : shown;
      byId("stage-empty").hidden = shown > 0;
      byId("picture").setAttribute("aria-label", shown ? `What ${next.camera} sees` : "No picture yet");
    }
    if (mine !== round) return;
    show(next);
    if (!(next.phase in STEP_OF)) return;
  } catch (error) {
    if (mine !== round) return;
    complain(error.message);
    if (error.status === 401 || error.status === 403) return show({ phase: "none" });
  }
  timer = setTimeout(() => poll(mine), document.hidden ? UNSEEN_MS : POLL_MS);
}

function follow() {
  round += 1;
  return poll(round);
}

async function attempt(action) {
  try {
    complain("");
    await action();
  } catch (error) {
    complain(error.message);
    if (error.status === 401) device.forget();
    if (error.status !== 409) return;
  }
  follow();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  device.remember(byId("key").value);
  attempt(() => device.begin(byId("camera").value, board()));
});
form.addEventListener("input", showBoard);
for (const [id, word] of [["enough", "plane"], ["measure", "measure"], ["lens", "lens"], ["more", "views"], ["again", "views"], ["save", "save"]]) {
  byId(id).addEventListener("click", () => attempt(() => device.order(word)));
}
for (const id of ["end", "finish"]) byId(id).addEventListener("click", () => attempt(() => device.end()));
byId("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(byId("yaml").textContent);
  byId("copy").textContent = "Copied";
});
wireTheme(byId("theme"));
for (const [id, value] of Object.entries(remembered("board", {}))) byId(id).value = value;
byId("key").value = device.key;
showBoard();
show(told);
listCameras();
if (device.key) follow();
