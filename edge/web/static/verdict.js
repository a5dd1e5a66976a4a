// The verdict, its reasons and the tally since start; an old verdict is never shown as the current one.
import { VERDICTS, byId, count, element, seconds } from "./format.js";

const ANNOUNCE_MS = 3000;
let announced = "";
let announcedAt = 0;

export function showVerdict(frame, { live, ageS }) {
  const known = live && frame ? VERDICTS[frame.result_evaluation] : undefined;
  const word = known ? frame.result_evaluation : "none";
  const panel = byId("verdict");
  if (panel.dataset.verdict !== word) {
    panel.dataset.verdict = word;
    byId("verdict-icon").setAttribute("href", `#${known?.icon ?? "i-none"}`);
    const parts = known?.parts ?? ["No", "verdict"];
    byId("verdict-word").replaceChildren(...parts.flatMap((part, i) => {
      const joint = known ? element("wbr") : document.createTextNode(" ");
      return i ? [joint, part] : [part];
    }));
  }
  showReasons(known ? frame.reasons : leftover(frame, ageS));
  announce(known ? frame.result_evaluation : "No current verdict", known ? frame.reasons : []);
}

function leftover(frame, ageS) {
  if (!frame) return ["Nothing inspected yet."];
  return [`Last was ${frame.result_evaluation}, ${seconds(ageS)} ago.`];
}

function showReasons(reasons) {
  const shown = reasons.length > 3 ? [...reasons.slice(0, 2), `and ${reasons.length - 2} more`] : reasons;
  const list = byId("reasons");
  const text = shown.join("\n");
  if (list.dataset.text === text) return;
  list.dataset.text = text;
  list.replaceChildren(...shown.map((reason) => element("li", { text: reason })));
}

// Read out by screen readers when the verdict changes, not at every picture.
function announce(word, reasons) {
  if (word === announced || performance.now() - announcedAt < ANNOUNCE_MS) return;
  announced = word;
  announcedAt = performance.now();
  byId("announce").textContent = [word, ...reasons.slice(0, 1)].join(": ");
}

export function showTally(camera) {
  const verdicts = camera?.verdicts ?? {};
  const total = Object.values(verdicts).reduce((sum, value) => sum + value, 0);
  const items = Object.keys(VERDICTS).map((name) => {
    const part = total ? `${((100 * (verdicts[name] ?? 0)) / total).toFixed(1)} %` : "–";
    return element("div", { "data-verdict": name },
      element("dt", { text: name }),
      element("dd", {}, element("b", { text: count(verdicts[name] ?? 0) }), element("span", { text: part })));
  });
  byId("tally").replaceChildren(...items);
}
