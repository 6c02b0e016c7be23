// Law: who works on an alert, on its page. Opening a new alert claims it, leaving it releases what was claimed so; one key does either,
// another takes over. While a person is active on the page, the service is told so before the claim ends by itself.

import { ApiError } from "./api.js";
import { announce, h, put } from "./dom.js";
import { at } from "./format.js";
import { keyCap } from "./keys.js";

const RENEW_MS = 120_000; // the service ends a claim after ten minutes without a sign of life
const SIGNS = ["keydown", "pointerdown", "pointermove", "wheel"];

export const inForce = (claim) => Boolean(claim) && Date.parse(claim.ends_at) > Date.now();

export class ClaimBar {
  #alert = null;
  #busy = false;
  settled = Promise.resolve(); // when what was asked of the service last has been answered
  #byItself = false; // claimed by opening the page: leaving it gives it back
  #signs = false;
  #words = h("p", { class: "claim-words", role: "status" });
  #problem = h("p", { class: "failure", role: "alert", hidden: true });
  #buttons = h("div", { class: "claim-buttons" });
  #sign = () => void (this.#signs = true);

  /** `act(name)` does "claim", "take", "release" or "reopen" and gives the alert; `me`: who is logged in. */
  constructor({ act, me }) {
    this.act = act;
    this.me = me;
    this.allowed = me.role !== "viewer";
    this.node = h("section", { class: "panel claim-bar", "aria-label": "Who works on it" }, h("div", { class: "claim-line" }, this.#words, this.#buttons), this.#problem);
    for (const name of SIGNS) addEventListener(name, this.#sign, { passive: true });
    this.timer = setInterval(() => this.#tick(), RENEW_MS);
    this.clock = setInterval(() => this.#alert && this.#draw(), 5000);
  }

  keys() {
    if (!this.allowed) return [];
    return [
      { keys: ["c"], label: "Claim the alert, or give it back", run: () => this.#flip() },
      { keys: ["C"], label: "Take the alert over from another", run: () => (this.#other() ? this.#do("take") : false) },
      { keys: ["o"], label: "Reopen a closed alert", run: () => (this.#alert?.verdict ? this.#do("reopen") : false) },
    ];
  }

  /** Show an AlertDetail; the first time, a new alert becomes this person's. */
  show(alert) {
    const first = this.#alert === null;
    this.#alert = alert;
    this.#draw();
    if (first && this.allowed && !alert.verdict && !inForce(alert.claim)) {
      this.#byItself = true;
      this.#do("claim");
    }
  }

  end() {
    clearInterval(this.timer);
    clearInterval(this.clock);
    for (const name of SIGNS) removeEventListener(name, this.#sign);
    if (this.#byItself && this.#mine()) this.act("release").catch(() => null); // it ends by itself
  }

  #mine() {
    return inForce(this.#alert?.claim) && this.#alert.claim.by === this.me.name;
  }

  #other() {
    return inForce(this.#alert?.claim) && this.#alert.claim.by !== this.me.name;
  }

  #button(name, words, key) {
    return h("button", { class: "button quiet", type: "button", "data-act": name, onclick: () => this.#do(name) }, words, keyCap(key));
  }

  #draw() {
    const { claim, verdict } = this.#alert;
    const state = verdict ? "closed" : this.#mine() ? "mine" : this.#other() ? "other" : "new";
    this.node.dataset.claim = state;
    const words = {
      closed: () => ["Closed"],
      mine: () => ["You have this alert"],
      other: () => [h("strong", { text: claim.by }), " has this alert since ", at(claim.at)],
      new: () => ["New: nobody works on it"],
    }[state]();
    const buttons = { closed: ["reopen", "Reopen", "o"], mine: ["release", "Give back", "c"], other: ["take", "Take over", "C"], new: ["claim", "Claim", "c"] }[state];
    const key = `${state} ${claim?.by ?? ""} ${claim?.at ?? ""}`;
    if (key === this.#drawn) return;
    this.#drawn = key;
    put(this.#words, words);
    put(this.#buttons, this.allowed ? this.#button(...buttons) : null);
  }

  #drawn = "";

  #flip() {
    if (this.#alert?.verdict || this.#other()) return false;
    this.#do(this.#mine() ? "release" : "claim");
    return true;
  }

  #tick() {
    if (!this.#signs || document.hidden || !this.#mine()) return;
    this.#signs = false;
    this.act("claim").catch(() => null); // whoever has it by now is told by the feed
  }

  #do(name) {
    if (this.#busy || !this.#alert) return;
    this.settled = this.#ask(name);
  }

  async #ask(name) {
    this.#busy = true;
    this.node.ariaBusy = "true";
    this.#problem.hidden = true;
    if (name !== "claim") this.#byItself = false;
    try {
      await this.act(name);
      announce(this.#words.textContent);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#problem.textContent = error.message;
      this.#problem.hidden = false;
    }
    this.#busy = false;
    this.node.ariaBusy = "false";
  }
}
