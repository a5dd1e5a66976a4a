// The latest alerts: the messages of one life (new, update, end) are one row.
import { byId, count, element, moment, seconds, swatch, colourOf } from "./format.js";

const SHOWN = 40;

export class Alerts {
  #lives = new Map(); // by alert_id: { id, first, last, best }
  #onOpen;
  #due = false;
  colours = { labels: [], colours: [] };
  manyCameras = false;

  constructor(onOpen) {
    this.#onOpen = onOpen;
  }

  async load() {
    const response = await fetch("api/v1/alerts?limit=100&outlines=false");
    if (!response.ok) return;
    const messages = await response.json();
    if (messages.length && [...this.#lives.values()].some((life) => life.last.epoch !== messages[0].epoch)) this.#lives.clear();
    messages.forEach((message) => this.#take(message));
    this.#draw();
  }

  add(message) {
    this.#take(message, true);
    this.#draw();
  }

  // Newest first.
  get list() {
    return [...this.#lives.values()].sort((a, b) => b.first.seq - a.first.seq).slice(0, SHOWN);
  }

  #take(message, fresh = false) {
    const life = this.#lives.get(message.alert_id);
    if (!life) {
      this.#lives.set(message.alert_id, { id: message.alert_id, first: message, last: message, best: message, fresh });
      return;
    }
    if (message.seq < life.first.seq) life.first = message;
    if (message.seq > life.last.seq) life.last = message;
    if (worth(message) > worth(life.best) || (worth(message) === worth(life.best) && message.seq < life.best.seq)) life.best = message;
  }

  #draw() {
    if (this.#due) return; // many may come at once
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      const list = this.list;
      const kept = new Set(list.map((life) => life.id));
      for (const id of this.#lives.keys()) if (!kept.has(id)) this.#lives.delete(id);
      this.#sync(list);
      byId("alerts-empty").hidden = list.length > 0;
      const ongoing = list.filter((life) => life.last.type !== "end").length;
      byId("alerts-count").textContent = ongoing ? `${ongoing} ongoing` : "";
    });
  }

  // Rows that stay are left alone, so that pictures do not flicker and the focus stays.
  #sync(list) {
    const holder = byId("alerts");
    const rows = new Map([...holder.children].map((row) => [row.dataset.id, row]));
    list.forEach((life, place) => {
      const state = `${life.last.seq}/${life.best.seq}`;
      let row = rows.get(life.id);
      if (row?.dataset.state !== state) {
        const made = this.#row(life);
        made.dataset.state = state;
        if (row?.contains(document.activeElement)) queueMicrotask(() => made.querySelector("button").focus());
        row?.replaceWith(made);
        row = made;
      }
      rows.delete(life.id);
      if (holder.children[place] !== row) holder.insertBefore(row, holder.children[place] ?? null);
    });
    for (const row of rows.values()) row.remove();
  }

  #row(life) {
    const { best, first, last } = life;
    const found = defects(best);
    const title = found.label + (found.regions.length > 1 ? ` × ${found.regions.length}` : "");
    const picture = best.evidence
      ? element("img", { src: `api/v1/evidence/${encodePath(best.evidence)}?width=320`, alt: "", loading: "lazy", width: "112", height: "64" })
      : element("span", { class: "no-picture", text: "no picture" });
    picture.addEventListener("error", () => picture.replaceWith(element("span", { class: "no-picture", text: "deleted" })));
    const button = element("button", { type: "button", class: "alert-row" },
      element("span", { class: "thumb" }, picture),
      element("span", { class: "alert-what" },
        element("span", { class: "alert-title" }, swatch(this.#colour(found.label)), element("b", { text: title })),
        element("span", { class: "alert-where" }, this.#where(first), chip(first, last))),
      element("span", { class: "alert-figures" },
        element("span", { text: `${count(found.area)} px` }),
        element("span", { text: found.score == null ? "–" : `score ${found.score.toFixed(2)}` }),
        element("span", { class: "seq", text: `#${best.seq}` })));
    button.addEventListener("click", () => this.#onOpen(life.id));
    const row = element("li", { "data-id": life.id, class: life.fresh ? "fresh" : null }, button);
    life.fresh = false;
    return row;
  }

  #where(first) {
    const when = moment(first.frame?.captured_at ?? first.creation_time);
    return this.manyCameras ? `${when} · ${first.camera}` : when;
  }

  #colour(label) {
    return colourOf(this.colours.labels.indexOf(label), this.colours.colours);
  }
}

export function defects(message) {
  const rules = message.thresholds ?? {};
  const regions = (message.regions ?? []).filter((region) => region.label in rules);
  const label = regions[0]?.label ?? message.regions?.[0]?.label ?? message.result_evaluation;
  const same = regions.filter((region) => region.label === label);
  return {
    label,
    regions: same,
    area: same.reduce((sum, region) => sum + region.area_px, 0),
    score: same.length ? Math.max(...same.map((region) => region.score)) : null,
  };
}

// The message that shows an alert best: with a picture, then with the largest defect.
const worth = (message) => (message.evidence ? 1e12 : 0) + defects(message).area;

export const encodePath = (path) => path.split("/").map(encodeURIComponent).join("/");

function chip(first, last) {
  if (last.type !== "end") return element("span", { class: "chip on", text: "ongoing" });
  const lasted = (new Date(last.creation_time) - new Date(first.creation_time)) / 1000;
  return lasted >= 0.1 ? element("span", { class: "chip", text: `lasted ${seconds(lasted)}` }) : null;
}
