// The device's event stream: opened again whenever it breaks; silence counts as broken. Pictures come only while the
// page is seen.
const SILENT_MS = 4000;
const REOPEN_MS = 1500;

export class Stream {
  #source = null;
  #heard = 0;
  #camera = null;
  #handlers;

  // handlers: { frame, alert, health, missed, opened }
  constructor(handlers) {
    this.#handlers = handlers;
    setInterval(() => this.#watch(), 500);
    document.addEventListener("visibilitychange", () => this.#source && this.#open());
  }

  watch(camera) {
    this.#camera = camera;
    this.#open();
  }

  get silentMs() {
    return performance.now() - this.#heard;
  }

  get lost() {
    return this.silentMs > SILENT_MS;
  }

  #open() {
    this.#source?.close();
    const query = new URLSearchParams({ pictures: !document.hidden, ...(this.#camera && { camera: this.#camera }) });
    const source = new EventSource(`api/v1/stream?${query}`);
    this.#source = source;
    this.openedAt = performance.now();
    source.addEventListener("open", () => this.#handlers.opened());
    for (const kind of ["frame", "alert", "health", "missed"]) {
      source.addEventListener(kind, (event) => {
        this.#heard = performance.now();
        this.#handlers[kind](JSON.parse(event.data));
      });
    }
  }

  #watch() {
    const dead = this.#source?.readyState === EventSource.CLOSED || this.lost;
    if (this.#source && dead && performance.now() - this.openedAt > Math.max(REOPEN_MS, SILENT_MS)) this.#open();
  }
}
