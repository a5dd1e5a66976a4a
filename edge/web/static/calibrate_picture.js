// The camera's picture while it is calibrated: corners that are seen, views that were kept, and the parts to be covered.
const SEEN = "#ffd23f";
const STILL = "#47d18c";
const KEPT = "71 209 140";

export class CalibrationPicture {
  #canvas;
  #context;
  #bitmap = null;
  #told = null;

  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  clear() {
    this.#bitmap = null;
    this.#told = null;
    this.draw();
  }

  async show(blob, told) {
    const bitmap = await createImageBitmap(blob);
    this.#bitmap?.close();
    this.#bitmap = bitmap;
    this.#told = told;
    this.draw();
  }

  draw() {
    const { width, height } = this.#bitmap ?? { width: 640, height: 400 };
    this.#canvas.style.aspectRatio = `${width} / ${height}`;
    const wide = Math.max(Math.round(this.#canvas.clientWidth * Math.min(devicePixelRatio, 2)), 160);
    this.#canvas.width = wide;
    this.#canvas.height = Math.round((wide * height) / width);
    if (!this.#bitmap) return;
    this.#context.imageSmoothingQuality = "high";
    this.#context.drawImage(this.#bitmap, 0, 0, this.#canvas.width, this.#canvas.height);
    if (this.#told.phase === "views") this.#paintViews();
    if (this.#told.seen) this.#paintCorners();
  }

  #paintViews() {
    const context = this.#context;
    const { width, height } = this.#canvas;
    context.fillStyle = `rgb(${KEPT} / 10%)`;
    context.strokeStyle = `rgb(${KEPT} / 45%)`;
    context.lineWidth = width / 800;
    for (const outline of this.#told.outlines) {
      context.beginPath();
      outline.forEach(([x, y]) => context.lineTo(x * width, y * height));
      context.closePath();
      context.fill();
      context.stroke();
    }
    context.strokeStyle = "rgb(255 255 255 / 28%)";
    context.setLineDash([width / 160, width / 160]);
    context.beginPath();
    for (const inner of [0.25, 0.75]) {
      context.moveTo(inner * width, 0);
      context.lineTo(inner * width, height);
      context.moveTo(0, inner * height);
      context.lineTo(width, inner * height);
    }
    context.stroke();
    context.setLineDash([]);
  }

  #paintCorners() {
    const context = this.#context;
    const { width, height } = this.#canvas;
    const radius = Math.max(width / 260, 2.5);
    context.lineWidth = radius / 2;
    context.strokeStyle = "rgb(0 0 0 / 65%)";
    context.fillStyle = this.#told.still >= 1 ? STILL : SEEN;
    for (const [x, y] of this.#told.seen) {
      context.beginPath();
      context.arc(x * width, y * height, radius, 0, 2 * Math.PI);
      context.stroke();
      context.fill();
    }
  }
}
