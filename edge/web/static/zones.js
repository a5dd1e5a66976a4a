// Zones: dashed outlines with their names, in pixels of the frame they were configured for.
export function drawZones(context, { zones, frame }) {
  const { width, height } = context.canvas;
  const perPoint = width / Math.max(context.canvas.clientWidth, 1); // canvas pixels per point on the screen
  context.save();
  context.font = `600 ${Math.round(12 * perPoint)}px system-ui, sans-serif`;
  context.textBaseline = "top";
  for (const [name, corners] of Object.entries(zones)) {
    const points = corners.map(([x, y]) => [(x * width) / frame.width, (y * height) / frame.height]);
    const outline = new Path2D();
    points.forEach(([x, y], i) => (i ? outline.lineTo(x, y) : outline.moveTo(x, y)));
    outline.closePath();
    for (const [style, line] of [["rgb(0 0 0 / 55%)", 3], ["white", 1.25]]) {
      context.strokeStyle = style;
      context.lineWidth = line * perPoint;
      context.setLineDash([6 * perPoint, 4 * perPoint]);
      context.stroke(outline);
    }
    const [x, y] = points.reduce((best, point) => (point[1] < best[1] ? point : best));
    context.setLineDash([]);
    context.strokeStyle = "rgb(0 0 0 / 70%)";
    context.fillStyle = "white";
    context.strokeText(name, x + 4 * perPoint, y + 4 * perPoint);
    context.fillText(name, x + 4 * perPoint, y + 4 * perPoint);
  }
  context.restore();
}
