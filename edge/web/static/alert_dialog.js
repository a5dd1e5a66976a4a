// One alert, large: the evidence picture with the outlines of its regions, and their measures.
import { byId, colourOf, count, element, moment, rgb, seconds, swatch } from "./format.js";
import { defects, encodePath } from "./alerts.js";
import { drawOutlines, regionMap } from "./outlines.js";

const WIDEST = 1600;

export class AlertDialog {
  #alerts;
  #life = null;
  #message = null;
  #picture = null;
  #map = null;
  #dialog = byId("dialog");

  constructor(alerts) {
    this.#alerts = alerts;
    byId("close").addEventListener("click", () => this.#dialog.close());
    byId("older").addEventListener("click", () => this.#step(1));
    byId("newer").addEventListener("click", () => this.#step(-1));
    byId("outlines").addEventListener("change", () => this.#draw());
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog) this.#dialog.close(); // beside the dialog
    });
    this.#dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.#step(1);
      if (event.key === "ArrowRight") this.#step(-1);
    });
  }

  async open(id) {
    const life = this.#alerts().list.find((one) => one.id === id);
    if (!life) return;
    this.#life = life;
    this.#message = life.best;
    this.#picture = this.#map = null;
    this.#describe();
    this.#draw();
    if (!this.#dialog.open) this.#dialog.showModal();
    const [full, picture] = await Promise.all([fetchFull(life.best), fetchPicture(life.best)]);
    if (this.#life !== life) return; // stepped on meanwhile
    this.#message = full;
    this.#picture = picture;
    this.#map = picture && regionMap(full.regions, ...sizeOf(picture));
    byId("evidence-empty").hidden = Boolean(picture);
    byId("evidence-empty").textContent = pathOf(life.best) ? "The picture was deleted to make room, or never written: the power went." : "No picture was kept.";
    this.#describe();
    this.#draw();
  }

  #step(by) {
    const list = this.#alerts().list;
    const next = list[list.findIndex((one) => one.id === this.#life?.id) + by];
    if (next) this.open(next.id);
  }

  #describe() {
    const { first, last, best } = this.#life;
    const message = this.#message;
    const found = defects(message);
    byId("dialog-title").textContent = `${found.label}${found.regions.length > 1 ? ` × ${found.regions.length}` : ""}, ${moment(best.frame.captured_at)}`;
    const lasted = (new Date(last.creation_time) - new Date(first.creation_time)) / 1000;
    const facts = [
      ["Verdict", [message.result_evaluation, ...message.reasons].join(": ")],
      ["Camera", message.camera],
      ["State", last.type === "end" ? (lasted >= 0.1 ? `ended after ${seconds(lasted)}` : "one part") : "ongoing"],
      ["Number", first.seq === last.seq ? `#${best.seq}` : `#${best.seq} of #${first.seq} to #${last.seq}`],
      ["Model", `${message.model.name} release ${message.model.release} · ${message.model.target} ${message.model.precision}`],
      ["Picture", `${message.frame.width} × ${message.frame.height} px`],
      ["Alert", this.#life.id],
    ];
    byId("facts").replaceChildren(...facts.map(([name, value]) => element("div", {}, element("dt", { text: name }), element("dd", { text: value }))));
    const clip = first.clip ?? best.clip;
    const files = [
      ["Video", clip, "the seconds around it (MP4)"],
      ["Mask", best.mask, "class of every pixel (PNG)"],
      ["Overlay", best.overlay, "regions drawn in (JPEG)"],
    ];
    for (const [name, path, text] of files) {
      if (path) byId("facts").append(element("div", {}, element("dt", { text: name }), element("dd", {}, element("a", { href: `api/v1/evidence/${encodePath(path)}`, download: true, text }))));
    }
    byId("regions").replaceChildren(...message.regions.map((region, i) => this.#regionRow(region, i + 1)));
    const list = this.#alerts().list;
    const place = list.findIndex((one) => one.id === this.#life.id);
    byId("older").disabled = place < 0 || place === list.length - 1;
    byId("newer").disabled = place <= 0;
  }

  #regionRow(region, number) {
    const row = element("tr", {},
      element("td", { class: "n", text: region.id }),
      element("th", { scope: "row" }, swatch(this.#colour(region.label)), element("span", { text: region.label })),
      element("td", { class: "n", text: region.area_mm2 == null ? count(region.area_px) : `${region.area_mm2.toPrecision(3)} mm²` }),
      element("td", { class: "n", text: `${region.bbox[2]} × ${region.bbox[3]}` }),
      element("td", { class: "n", text: region.score.toFixed(2) }));
    row.addEventListener("mouseenter", () => this.#draw(number));
    row.addEventListener("mouseleave", () => this.#draw());
    return row;
  }

  #draw(chosen = 0) {
    const canvas = byId("evidence");
    const [width, height] = this.#picture ? sizeOf(this.#picture) : [640, 320];
    canvas.width = width;
    canvas.height = height;
    canvas.setAttribute("aria-label", this.#picture ? `Evidence picture with ${this.#message.regions.length} outlined regions` : "Evidence picture");
    canvas.dataset.ready = this.#picture ? "yes" : "no";
    if (!this.#picture) return;
    const context = canvas.getContext("2d");
    context.drawImage(this.#picture, 0, 0, width, height);
    if (!byId("outlines").checked) return;
    const colours = this.#message.regions.map((region) => rgb(this.#colour(region.label) ?? [255, 255, 255]));
    drawOutlines(context, this.#map, colours, chosen);
  }

  #colour(label) {
    const { labels, colours } = this.#alerts().colours;
    return colourOf(labels.indexOf(label), colours);
  }
}

function sizeOf(picture) {
  const scale = Math.min(WIDEST / picture.width, 1);
  return [Math.round(picture.width * scale), Math.round(picture.height * scale)];
}

async function fetchFull(message) {
  const response = await fetch(`api/v1/alerts?limit=1&before=${message.seq + 1}`);
  const [full] = response.ok ? await response.json() : [];
  return full?.seq === message.seq && full.epoch === message.epoch ? full : { ...message, regions: [] };
}

const pathOf = (message) => message.evidence ?? message.overlay;

async function fetchPicture(message) {
  if (!pathOf(message)) return null;
  const response = await fetch(`api/v1/evidence/${encodePath(pathOf(message))}`);
  return response.ok ? createImageBitmap(await response.blob()) : null;
}
