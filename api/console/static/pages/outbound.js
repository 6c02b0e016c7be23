// Law: where alerts go beside this console, how each target does, and its log. Secrets are typed here and never shown again.

import { ApiError, api } from "../api.js";
import { emptyState, failure, loading } from "../badges.js";
import { announce, h, put } from "../dom.js";
import { age, number } from "../format.js";
import { targetForm } from "../target_form.js";
import { OUTCOME, TARGET_KIND } from "../words.js";

const EVERY_MS = 5000;

function stateOf(target) {
  if (!target.enabled) return ["chip", "Off"];
  if (target.failing_since) return ["chip chip-bad", "Not reached"];
  return ["chip chip-good", "Well"];
}

function backlog(target) {
  const parts = [];
  if (target.n_waiting) parts.push(h("span", null, `${number(target.n_waiting)} waiting, the oldest `, age(target.oldest_at)));
  else parts.push(h("span", { text: "Nothing waits" }));
  if (target.n_dropped) parts.push(h("span", { text: `${number(target.n_dropped)} left out: too many waited` }));
  return parts;
}

function logTable(lines) {
  if (!lines.length) return h("p", { class: "muted", text: "Nothing has been sent yet." });
  const rows = lines.map((line) =>
    h("tr", null, h("td", null, age(line.at)), h("td", { text: OUTCOME[line.outcome] ?? line.outcome }), h("td", { text: line.words }), h("td", null, line.alert_id ? h("a", { href: `#/alerts/${line.alert_id}`, text: line.phase }) : "–"), h("td", { class: "figure", text: `${number(line.took_ms)} ms` })),
  );
  return h("div", { class: "table-scroll" }, h("table", { class: "table" }, h("thead", null, h("tr", null, ["When", "How it ended", "Words", "What", "Took"].map((text) => h("th", { scope: "col", class: text === "Took" ? "figure" : null, text })))), h("tbody", null, rows)));
}

class Card {
  #state = h("span");
  #figures = h("p", { class: "target-figures" });
  #problem = h("p", { class: "failure", hidden: true });
  #told = h("p", { class: "muted", role: "status" });
  #more = h("div", { class: "target-more" });
  #title = h("h2");
  #where = h("p", { class: "muted mono" });

  constructor(target, changed) {
    this.target = target;
    this.changed = changed;
    const act = (text, run, kind = "") => h("button", { class: `button ${kind}`, type: "button", text, onclick: run });
    this.node = h(
      "li",
      { class: "panel target", "data-target": target.target_id },
      h("header", { class: "section-head" }, this.#title, this.#state),
      h("div", { class: "panel-pad" }, this.#where, this.#figures, this.#problem, this.#told, h("p", { class: "actions" }, act("Send a test", () => this.#test()), act("Log", () => this.#log(), "quiet"), act("Edit", () => this.#edit(), "quiet"), act("Remove", () => this.#remove(), "quiet")), this.#more),
    );
    this.show(target);
  }

  show(target) {
    this.target = target;
    const [kind, words] = stateOf(target);
    this.#title.textContent = target.name;
    this.#state.className = kind;
    this.#state.textContent = words;
    this.#where.textContent = `${TARGET_KIND[target.kind]} · ${target.address}`;
    put(this.#figures, backlog(target));
    this.#problem.hidden = !target.problem;
    this.#problem.textContent = target.problem;
  }

  async #ask(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#told.textContent = error.message;
    }
  }

  #test() {
    this.#told.textContent = "Sending …";
    return this.#ask(async () => {
      const { delivered, words } = await api.testTarget(this.target.target_id);
      this.#told.textContent = delivered ? `Test delivered: ${words}` : `Test not delivered: ${words}`;
      this.changed();
    });
  }

  #log() {
    if (this.#more.querySelector("table, .muted")) return put(this.#more);
    return this.#ask(async () => put(this.#more, logTable(await api.targetLog(this.target.target_id))));
  }

  #edit() {
    if (this.#more.querySelector("form")) return put(this.#more);
    const form = targetForm(this.target, async (body) => {
      await api.saveTarget(this.target.target_id, body);
      put(this.#more);
      announce("Target saved");
      this.changed();
    });
    put(this.#more, form.node);
    return form.focus();
  }

  #remove() {
    const sure = h("button", { class: "button danger", type: "button", text: "Remove it with all that waits", onclick: () => this.#ask(async () => {
      await api.removeTarget(this.target.target_id);
      announce("Target removed");
      this.changed();
    }) });
    put(this.#more, h("p", { class: "actions" }, sure, h("button", { class: "button quiet", type: "button", text: "Keep it", onclick: () => put(this.#more) })));
    sure.focus();
  }
}

export function outboundPage({ me }) {
  const list = h("ul", { class: "targets" });
  const body = h("div", null, loading("Reading targets …"));
  const make = h("div");
  const add = h("button", { class: "button primary", type: "button", text: "Add a target" });
  const node = h("main", { class: "page", id: "main" }, h("header", { class: "section-head page-head" }, h("h1", { text: "Outbound" }), me.role === "admin" ? add : null), h("p", { class: "muted", text: "Where alerts go beside this console. Each target has a queue of its own: one that is slow or away holds up no other, and is tried for a day." }), make, body);
  const cards = new Map();
  let ended = false;

  async function read() {
    let targets;
    try {
      targets = await api.targets();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!ended) put(body, failure(error.message));
      return;
    }
    if (ended) return;
    const ids = new Set(targets.map((t) => t.target_id));
    for (const [id, card] of cards) {
      if (ids.has(id)) continue;
      card.node.remove();
      cards.delete(id);
    }
    for (const target of targets) {
      if (cards.has(target.target_id)) cards.get(target.target_id).show(target);
      else {
        cards.set(target.target_id, new Card(target, read));
        list.append(cards.get(target.target_id).node);
      }
    }
    if (!targets.length) put(body, emptyState("No targets yet", "Add a webhook, an MQTT broker or mail, and alerts go there as they happen."));
    else if (list.parentNode !== body) put(body, list);
  }

  add.addEventListener("click", () => {
    if (make.firstChild) return put(make);
    const form = targetForm(null, async (told) => {
      await api.addTarget(told);
      put(make);
      announce("Target added");
      await read();
    });
    put(make, h("section", { class: "panel panel-pad", "aria-label": "New target" }, form.node));
    return form.focus();
  });

  read();
  const timer = setInterval(read, EVERY_MS);
  return {
    node,
    end() {
      ended = true;
      clearInterval(timer);
    },
  };
}
