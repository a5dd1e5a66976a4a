// Numbers, times and small pieces of page, written the same way everywhere.
const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export const VERDICTS = {
  OK: { icon: "i-ok", parts: ["OK"] },
  NotOK: { icon: "i-notok", parts: ["NotOK"] },
  NotDecidable: { icon: "i-unsure", parts: ["Not", "Decidable"] },
};

export const count = (value) => (value == null ? "–" : whole.format(value));

export function share(value) {
  const percent = 100 * value;
  if (percent === 0) return "0 %";
  if (percent < 0.01) return "<0.01 %";
  return `${percent.toFixed(percent < 10 ? 2 : 1)} %`;
}

export function seconds(value) {
  if (value == null) return "–";
  if (value < 0.1) return `${Math.round(1000 * value)} ms`;
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 100) return `${Math.round(value)} s`;
  if (value < 5400) return `${Math.round(value / 60)} min`;
  if (value < 172_800) return `${Math.floor(value / 3600)} h ${Math.round((value % 3600) / 60)} min`;
  return `${Math.floor(value / 86_400)} d ${Math.round((value % 86_400) / 3600)} h`;
}

export function bytes(value) {
  if (value == null) return "–";
  const step = value > 0 ? Math.min(Math.floor(Math.log10(value) / 3), 4) : 0;
  const scaled = value / 1000 ** step;
  return `${scaled.toFixed(scaled < 10 && step > 0 ? 1 : 0)} ${["B", "kB", "MB", "GB", "TB"][step]}`;
}

export function moment(text) {
  const when = new Date(text);
  const today = new Date().toDateString() === when.toDateString();
  return today ? clock.format(when) : `${day.format(when)} ${clock.format(when)}`;
}

export const rgb = (colour) => `rgb(${colour[0]} ${colour[1]} ${colour[2]})`;

// Colour of a class that has none of its own: the object itself needs none, a defect must be seen.
const SPARE = [[230, 57, 70], [244, 162, 97], [131, 56, 236], [58, 134, 255], [255, 190, 11], [6, 214, 160]];
export const colourOf = (index, colours) => colours?.[index] ?? (index === 0 ? null : SPARE[(index - 1) % SPARE.length]);

// element("p", { class: "x", text: "y" }, child, …)
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

export function swatch(colour) {
  const made = element("span", { class: "swatch", "aria-hidden": "true" });
  if (colour) made.style.backgroundColor = rgb(colour);
  return made;
}

export const byId = (id) => document.getElementById(id);
