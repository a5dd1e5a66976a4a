// Regions, area and share per class of the current picture. Shares are of the object: all classes but the first.
import { byId, colourOf, count, element, share, swatch, rgb } from "./format.js";

export function showClasses(frame) {
  const classes = frame.labels.slice(1).map((label, i) => summary(frame, label, i + 1));
  const object = classes.reduce((sum, one) => sum + one.ofFrame, 0);
  for (const one of classes) one.ofObject = object ? one.ofFrame / object : 0;
  byId("class-rows").replaceChildren(...classes.map(row));
  showBar(classes);
  showLegend(classes);
}

function summary(frame, label, index) {
  const regions = frame.regions.filter((region) => region.label === label);
  return {
    label,
    colour: colourOf(index, frame.colours),
    defect: frame.defects.includes(label),
    tolerated: frame.thresholds[label]?.max_share ?? 0,
    regions: regions.length,
    area: regions.reduce((sum, region) => sum + region.area_px, 0),
    ofFrame: frame.class_shares[label] ?? 0,
  };
}

function row(one) {
  const name = element("th", { scope: "row" }, swatch(one.colour), element("span", { text: one.label }),
    one.defect ? element("span", { class: "tag", text: "defect" }) : null);
  const part = element("td", { class: "n strong", text: share(one.ofObject) });
  if (one.defect && one.tolerated) part.append(element("small", { text: `of ${share(one.tolerated)} tolerated` }));
  return element("tr", { class: one.defect && one.regions ? "hit" : null }, name,
    element("td", { class: "n", text: one.defect || one.regions ? count(one.regions) : "–" }), // others are not outlined
    element("td", { class: "n", text: one.area ? `${count(one.area)} px` : "–" }), part);
}

function showBar(classes) {
  const bar = byId("shares");
  bar.setAttribute("aria-label", `Shares of the object: ${classes.map((one) => `${one.label} ${share(one.ofObject)}`).join(", ")}`);
  bar.replaceChildren(...classes.filter((one) => one.ofObject > 0).map((one) => {
    const part = element("span");
    part.style.flexGrow = one.ofObject;
    part.style.backgroundColor = one.colour ? rgb(one.colour) : "currentColor";
    return part;
  }));
}

let legend = "";

function showLegend(classes) {
  const text = JSON.stringify(classes.map((one) => [one.label, one.colour]));
  if (text === legend) return;
  legend = text;
  byId("legend").replaceChildren(...classes.map((one) => element("li", {}, swatch(one.colour), one.label)));
}
