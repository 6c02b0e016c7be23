// Law: whether an alert's evidence is held, by whom and since when, and one key to hold or release it.

import { ApiError, clipFileUrl } from "./api.js";
import { announce, h, put } from "./dom.js";
import { at } from "./format.js";
import { keyCap } from "./keys.js";

export class HoldBar {
  #hold = null;
  #busy = false;
  #words = h("p", { class: "muted" });
  #problem = h("p", { class: "failure", role: "alert", hidden: true });
  #bundle = null;
  #button = h("button", { class: "button hold", type: "button", onclick: () => this.#flip() });

  /** `send(held)` holds or releases; `allowed`: may this person do so; `bundle`: address of the signed file with all of it; `more`: what else is offered. */
  constructor({ send, allowed, bundle, more }) {
    this.send = send;
    this.allowed = allowed;
    if (allowed) this.#bundle = h("a", { class: "button bundle", href: bundle, download: "", text: "Download signed bundle" });
    this.node = h("section", { class: "panel hold-bar", "aria-labelledby": "hold-title" }, h("header", { class: "section-head" }, h("h2", { id: "hold-title", text: "Evidence" }), allowed ? this.#button : null), this.#words, this.#problem, this.#bundle, allowed ? more : null);
  }

  /** Evidence is never changed, so who sees people blurred has no bundle. */
  blurred(on) {
    if (this.#bundle) this.#bundle.hidden = on;
  }

  keys() {
    if (!this.allowed) return [];
    return [{ keys: ["h"], label: "Hold the evidence, or release it", run: () => void this.#flip() }];
  }

  /** Show an AlertDetail. */
  show({ hold, media, alert_id: alertId }, zone) {
    this.#hold = hold;
    this.#button.setAttribute("aria-pressed", String(Boolean(hold)));
    put(this.#button, hold ? "Release" : "Hold", keyCap("h"));
    put(this.#words, ...(hold ? [`Held by ${hold.by}, `, at(hold.at, zone), ": it stays whatever its age."] : ["Not held: it goes when its days are over."]), media.clip?.state === "ready" ? [" ", h("a", { class: "save-clip", href: clipFileUrl(alertId), download: true, text: "Save the clip" })] : []);
  }

  async #flip() {
    if (this.#busy) return;
    this.#busy = true;
    this.#problem.hidden = true;
    try {
      await this.send(!this.#hold);
      announce(this.#hold ? "Evidence held" : "Evidence released");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#problem.textContent = `Not changed. ${error.message}`;
      this.#problem.hidden = false;
    }
    this.#busy = false;
  }
}
