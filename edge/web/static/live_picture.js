// The live picture: decodes picture and mask, which come with their frame, and composes them; newest wins.
import { colourOf } from "./format.js";
import { drawZones } from "./zones.js";

const OTHERS = 0.45; // classes that are no defect are drawn fainter by this factor

export class LivePicture {
  overlay = true;
  opacity = 0.6;
  #canvas;
  #context;
  #tint = document.createElement("canvas");
  #wanted = null;
  #busy = false;
  #cleared = 0; // how often: what was being decoded then is shown no more
  #shown = null; // { frame, picture, indices }; of one frame, always

  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  show(frame) {
    if (!frame.picture) return; // of a page that nobody saw
    this.#wanted = frame;
    if (!this.#busy) this.#load();
  }

  clear() {
    this.#cleared += 1;
    this.#wanted = null;
    this.#shown = null;
    this.draw();
  }

  async #load() {
    this.#busy = true;
    try {
      while (this.#wanted) {
        const frame = this.#wanted;
        this.#wanted = null;
        const cleared = this.#cleared;
        const [picture, mask] = await Promise.all([decode(frame.picture, "image/jpeg"), decode(frame.mask, "image/png")]);
        if (cleared === this.#cleared) {
          this.#shown = { frame, picture, indices: readIndices(mask) };
          this.draw();
        }
      }
    } finally {
      this.#busy = false;
    }
  }

  draw() {
    const { width, height } = this.#size();
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    this.#canvas.dataset.sequence = this.#shown?.frame.sequence ?? "";
    if (!this.#shown) {
      this.#context.clearRect(0, 0, width, height);
      return;
    }
    this.#context.imageSmoothingQuality = "high";
    this.#context.drawImage(this.#shown.picture, 0, 0, width, height);
    if (this.overlay) {
      this.#paintTint();
      this.#context.globalAlpha = this.opacity;
      this.#context.drawImage(this.#tint, 0, 0, width, height);
      this.#context.globalAlpha = 1;
      drawZones(this.#context, this.#shown.frame);
    }
  }

  #size() {
    const { width, height } = this.#shown?.picture ?? { width: 640, height: 320 };
    this.#canvas.style.aspectRatio = `${width} / ${height}`;
    const seen = Math.round(this.#canvas.clientWidth * Math.min(devicePixelRatio, 2));
    const wide = Math.max(Math.min(seen, 2 * width), 160);
    return { width: wide, height: Math.round((wide * height) / width) };
  }

  #paintTint() {
    const { indices, frame } = this.#shown;
    this.#tint.width = indices.width;
    this.#tint.height = indices.height;
    const context = this.#tint.getContext("2d");
    const tinted = context.createImageData(indices.width, indices.height);
    const table = tintTable(frame);
    const pixels = new Uint32Array(tinted.data.buffer);
    for (let i = 0; i < pixels.length; i += 1) pixels[i] = table[indices.data[4 * i]];
    context.putImageData(tinted, 0, 0);
  }
}

// RGBA by class index, as one little-endian number each.
function tintTable({ labels, colours, defects }) {
  const table = new Uint32Array(256);
  labels.forEach((label, index) => {
    const colour = colourOf(index, colours);
    if (!colour) return;
    const alpha = defects.includes(label) ? 255 : Math.round(255 * OTHERS);
    table[index] = ((alpha << 24) | (colour[2] << 16) | (colour[1] << 8) | colour[0]) >>> 0;
  });
  return table;
}

function decode(base64, type) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  // without colour conversion: the mask's values are indices
  return createImageBitmap(new Blob([bytes], { type }), { colorSpaceConversion: "none" });
}

function readIndices(image) {
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
}
