// What the page asks of the device; whatever changes something shows the operator's key.
const BASE = "api/v1/calibration";

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export class Device {
  key = sessionStorage.getItem("edgeloupe.key") ?? ""; // until the tab is closed

  remember(key) {
    this.key = key.trim();
    sessionStorage.setItem("edgeloupe.key", this.key);
  }

  forget() {
    this.remember("");
  }

  begin = (camera, board) => this.#json("POST", BASE, { camera, board });
  told = () => this.#json("GET", BASE);
  order = (word) => this.#json("POST", `${BASE}/${word}`);
  end = () => this.#ask("DELETE", BASE);
  picture = async () => (await this.#ask("GET", `${BASE}/picture.jpg`)).blob();
  cameras = () => this.#json("GET", "api/v1/cameras");

  async #json(method, path, body) {
    return (await this.#ask(method, path, body)).json();
  }

  async #ask(method, path, body) {
    const headers = { ...(this.key && { authorization: `Bearer ${this.key}` }), ...(body && { "content-type": "application/json" }) };
    let answer;
    try {
      answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(10_000) });
    } catch {
      throw new Refused(0, "no connection to the device");
    }
    if (answer.ok) return answer;
    const told = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, typeof told.detail === "string" ? told.detail : `The device refused: ${answer.status}`);
  }
}
