// COCO compressed run-length encoding, as pycocotools writes it: column by column, zeros first.
export function runLengths(counts) {
  const runs = [];
  let at = 0;
  while (at < counts.length) {
    let value = 0;
    let shift = 0;
    let code;
    do {
      code = counts.charCodeAt(at) - 48;
      value |= (code & 31) << shift;
      shift += 5;
      at += 1;
    } while (code & 32);
    if (code & 16 && shift < 32) value |= -1 << shift;
    runs.push(runs.length > 2 ? value + runs[runs.length - 2] : value);
  }
  return runs;
}

// Writes `number` into `map` (width x height, row by row) wherever the mask is set; the map may be smaller than the mask.
export function paint({ size: [fullHeight, fullWidth], counts }, number, map, width, height) {
  const toX = width / fullWidth;
  const toY = height / fullHeight;
  let at = 0;
  runLengths(counts).forEach((run, i) => {
    const end = at + run;
    while (i % 2 && at < end) {
      const column = Math.floor(at / fullHeight);
      const stop = Math.min(end, (column + 1) * fullHeight);
      const x = Math.min(Math.floor(column * toX), width - 1);
      const top = Math.floor((at - column * fullHeight) * toY);
      const bottom = Math.min(Math.max(Math.ceil((stop - column * fullHeight) * toY), top + 1), height);
      for (let y = top; y < bottom; y += 1) map[y * width + x] = number;
      at = stop;
    }
    at = end;
  });
}
