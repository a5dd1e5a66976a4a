// One tab per camera, when there is more than one; each shows its camera's verdict.
import { VERDICTS, byId, element } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

export function showTabs(cameras, chosen, choose) {
  const bar = byId("cameras");
  bar.hidden = cameras.length < 2;
  if (bar.hidden) return;
  const names = cameras.map((camera) => camera.name);
  if (names.join() !== bar.dataset.names) {
    bar.dataset.names = names.join();
    bar.replaceChildren(...names.map((name) => makeTab(name, names, choose)));
  }
  cameras.forEach((camera, i) => updateTab(bar.children[i], camera, camera.name === chosen));
}

function makeTab(name, names, choose) {
  const icon = document.createElementNS(SVG, "svg");
  icon.setAttribute("class", "icon");
  icon.setAttribute("aria-hidden", "true");
  icon.append(document.createElementNS(SVG, "use"));
  const tab = element("button", { type: "button", role: "tab", "aria-controls": "main" },
    element("span", { class: "tab-mark" }, icon), element("span", { text: name }), element("span", { class: "unseen tab-verdict" }));
  tab.addEventListener("click", () => choose(name));
  tab.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    const place = (names.indexOf(name) + by + names.length) % names.length;
    choose(names[place]);
    byId("cameras").children[place].focus();
  });
  return tab;
}

function updateTab(tab, camera, selected) {
  const verdict = camera.live ? camera.result_evaluation : null;
  tab.setAttribute("aria-selected", String(selected));
  tab.tabIndex = selected ? 0 : -1;
  tab.dataset.verdict = verdict ?? "none";
  tab.querySelector("use").setAttribute("href", `#${VERDICTS[verdict]?.icon ?? "i-none"}`);
  tab.querySelector(".tab-verdict").textContent = verdict ?? camera.state;
}
