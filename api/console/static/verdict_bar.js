// Law: how a person gives a verdict: one key for it, one for its reason if it needs one, at any time a note.

import { ApiError } from "./api.js";
import { verdictBadge } from "./badges.js";
import { announce, h, icon, put } from "./dom.js";
import { at } from "./format.js";
import { keyCap } from "./keys.js";
import { REASONS, VERDICT } from "./words.js";

const CHOICES = [
  { verdict: "true", keys: ["1", "t"], icon: "check", hint: "It is what the rule says" },
  { verdict: "false", keys: ["2", "f"], icon: "cross", hint: "It is not; then a reason" },
  { verdict: "unclear", keys: ["3", "u"], icon: "question", hint: "Cannot be told; then a reason" },
];

export class VerdictBar {
  #alert = null;
  #asked = null; // the verdict that waits for its reason
  #otherChosen = false;
  #busy = false;
  #choices = h("div", { class: "verdict-choices" });
  #reasons = h("div", { class: "verdict-reasons", hidden: true });
  #given = h("div", { class: "verdict-given", hidden: true });
  #problem = h("p", { class: "failure", role: "alert", hidden: true });
  #note = h("textarea", { id: "verdict-note", rows: 1, maxlength: 2000, placeholder: "Optional" });

  /** `send(body)` stores a VerdictIn; `next()` goes on; `allowed`: may this person give verdicts. */
  constructor({ send, next, allowed }) {
    this.send = send;
    this.allowed = allowed;
    put(this.#choices, CHOICES.map((c) => this.#choice(c)));
    put(this.#reasons, h("p", { class: "reasons-title" }), REASONS.map(([code, words], i) => this.#reason(code, words, i)), h("button", { class: "button quiet", type: "button", onclick: () => this.#ask(null) }, keyCap("Escape"), "Cancel"));
    this.#note.addEventListener("keydown", (event) => this.#noteKey(event));
    const note = h("div", { class: "field" }, h("label", { for: "verdict-note", text: "Note" }), this.#note);
    const nextButton = h("button", { class: "button next", type: "button", title: "Next alert without a verdict (n)", onclick: next }, "Next alert", keyCap("n"));
    const body = allowed ? [this.#choices, this.#reasons, note, this.#problem] : [h("p", { class: "muted", text: "Your role can look, but not give verdicts." })];
    this.node = h("section", { class: "panel verdict-bar", "aria-labelledby": "verdict-title" }, h("header", { class: "section-head" }, h("h2", { id: "verdict-title", text: "Verdict" }), nextButton), this.#given, body);
  }

  keys() {
    if (!this.allowed) return [];
    return [
      ...CHOICES.map((c) => ({ keys: c.keys, label: `${VERDICT[c.verdict]}: ${c.hint.toLowerCase()}`, run: (e) => (this.#asked ? this.#pick(e.key) : this.#ask(c.verdict)) })),
      { keys: REASONS.map((_, i) => String(i + 1)), label: "After False or Unclear: its reason", run: (e) => this.#pick(e.key) },
      { keys: ["Escape"], label: "Cancel the verdict", run: () => (this.#asked ? this.#ask(null) : false) },
      { keys: ["m"], label: "Write a note (Enter saves, Esc leaves)", run: () => this.#note.focus() },
    ];
  }

  /** Show an AlertDetail. */
  show(alert) {
    this.#alert = alert;
    const { verdict } = alert;
    this.#given.hidden = !verdict;
    if (verdict) put(this.#given, verdictBadge(verdict, true), h("span", { class: "muted" }, `${verdict.by}, `, at(verdict.at)), verdict.note ? h("p", { class: "note-text", text: verdict.note }) : null);
    for (const button of this.#choices.children) button.setAttribute("aria-pressed", String(button.dataset.verdict === (this.#asked ?? verdict?.verdict)));
  }

  #choice({ verdict, keys, icon: name, hint }) {
    return h("button", { class: `button choice choice-${verdict}`, type: "button", "data-verdict": verdict, "aria-pressed": "false", title: hint, onclick: () => this.#ask(verdict) }, icon(name), h("span", { text: VERDICT[verdict] }), keyCap(keys[0]));
  }

  #reason(code, words, i) {
    return h("button", { class: "button reason", type: "button", "data-reason": code, onclick: () => this.#choose(code) }, keyCap(String(i + 1)), h("span", { text: words }));
  }

  #ask(verdict) {
    if (verdict === "true") {
      this.#asked = null;
      this.#reasons.hidden = true;
      this.#save({ verdict, reason: null });
      return true;
    }
    this.#asked = verdict;
    this.#otherChosen = false;
    this.#reasons.hidden = !verdict;
    this.#problem.hidden = true;
    if (verdict) {
      this.#reasons.firstChild.textContent = `Why ${VERDICT[verdict].toLowerCase()}?`;
      announce(`${VERDICT[verdict]}: choose a reason, 1 to ${REASONS.length}`);
    }
    this.show(this.#alert);
    return true;
  }

  #pick(key) {
    const reason = this.#asked ? REASONS[Number(key) - 1] : null;
    if (!reason) return false;
    this.#choose(reason[0]);
    return true;
  }

  #choose(reason) {
    if (reason === "other" && !this.#note.value.trim()) {
      this.#otherChosen = true;
      this.#fail("Say in the note what it was, then press Enter.");
      this.#note.focus();
      return;
    }
    this.#save({ verdict: this.#asked, reason });
  }

  #noteKey(event) {
    if (event.key === "Escape") this.#note.blur();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (this.#otherChosen && this.#asked) this.#choose("other");
    else this.#note.blur();
  }

  #fail(words) {
    this.#problem.textContent = words;
    this.#problem.hidden = false;
  }

  async #save(verdict) {
    if (this.#busy) return;
    this.#busy = true;
    this.#problem.hidden = true;
    try {
      await this.send({ ...verdict, note: this.#note.value.trim() });
      this.#asked = null;
      this.#reasons.hidden = true;
      this.#note.value = "";
      this.show(this.#alert);
      announce(`Verdict saved: ${VERDICT[verdict.verdict]}`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#fail(`Not saved. ${error.message}`);
    }
    this.#busy = false;
  }
}
