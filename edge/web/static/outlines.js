// Outlines of regions: a line in the class's colour on a dark rim, so that it shows on any picture.
import { paint } from "./rle.js";

export function regionMap(regions, width, height) {
  const map = new Int16Array(width * height);
  // largest first, so that a small one inside stays visible
  regions.forEach((region, i) => paint(region.segmentation, i + 1, map, width, height));
  return map;
}

export function drawOutlines(context, map, colours, chosen = 0) {
  const { width, height } = context.canvas;
  const edges = edgePixels(map, width, height);
  const perPoint = width / Math.max(context.canvas.clientWidth, 1); // canvas pixels per point on the screen
  const line = Math.max(Math.round(1.3 * perPoint), 1);
  for (const [extra, style] of [[Math.ceil(perPoint / 2), () => "rgb(0 0 0 / 45%)"], [0, (number) => colours[number - 1]]]) {
    const size = 2 * (line + extra) - 1;
    for (const [number, pixels] of edges) {
      context.globalAlpha = chosen && chosen !== number ? 0.25 : 1;
      context.fillStyle = style(number);
      context.beginPath();
      for (const at of pixels) context.rect((at % width) - line - extra + 1, Math.floor(at / width) - line - extra + 1, size, size);
      context.fill();
    }
  }
  context.globalAlpha = 1;
}

function edgePixels(map, width, height) {
  const edges = new Map();
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      const own = map[at];
      if (!own) continue;
      const inside = x > 0 && x < width - 1 && y > 0 && y < height - 1 &&
        map[at - 1] === own && map[at + 1] === own && map[at - width] === own && map[at + width] === own;
      if (inside) continue;
      if (!edges.has(own)) edges.set(own, []);
      edges.get(own).push(at);
    }
  }
  return edges;
}
