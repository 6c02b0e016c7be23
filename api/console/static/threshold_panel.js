// Law: one parameter of one rule, tried at several values on the kept tracks, beside what people said of the past alerts. It proposes; a person takes.

import { ApiError, api } from "./api.js";
import { ruleTitle } from "./configuration_words.js";
import { h, put } from "./dom.js";
import { factLabel, factValue } from "./words.js";

const TIMES = [0.5, 0.75, 1, 1.5, 2, 3]; // of the value as it is
const USUAL = ["hold_s", "min_people", "link_bh", "min_pace_bh_s", "min_against_bh_s"]; // what is tuned first

/** The values to try, as round as they are shown: people stay whole, and none is tried twice. */
export function valuesOf(name, value) {
  const round = (x) => (name.endsWith("people") ? Math.max(1, Math.round(x)) : Number(x.toPrecision(2)));
  return [...new Set(TIMES.map((k) => round(k * value)))].sort((a, b) => a - b);
}

/** What a trial says of one rule's alerts: how many true and false ones stay, how many others, how many appear. */
export function tally(lines, rule) {
  const mine = lines.filter(({ past, would }) => (past ?? would).rule === rule.rule);
  const stay = mine.filter((one) => one.fate === "stays");
  const said = (verdict) => stay.filter((one) => one.past.verdict === verdict).length;
  const there = (verdict) => mine.filter((one) => one.past?.verdict === verdict).length;
  return { kept: said("true"), all: there("true"), wrong: said("false"), wrongBefore: there("false"), other: stay.length - said("true") - said("false"), appear: mine.filter((one) => one.fate === "appears").length };
}

/** The value that keeps every true alert with the fewest false and new ones; the nearest to `now` of equals; null: no verdict decides. */
export function best(rows, now) {
  const whole = rows.filter((row) => row.kept === row.all);
  if (!rows.length || rows[0].all + rows[0].wrongBefore === 0 || !whole.length) return null;
  return whole.reduce((a, b) => (b.wrong + b.appear < a.wrong + a.appear || (b.wrong + b.appear === a.wrong + a.appear && Math.abs(b.value - now) < Math.abs(a.value - now)) ? b : a));
}

export class ThresholdPanel {
  #rule = h("select", { id: "threshold-rule" });
  #param = h("select", { id: "threshold-param" });
  #go = h("button", { class: "button", type: "button", text: "Try several values", onclick: () => void this.#try() });
  #said = h("p", { class: "muted", role: "status" });
  #found = h("div");
  #busy = false;

  /** `span()` gives [since, until] in ms of the tracks to try on. */
  constructor(draft, cameraId, span) {
    this.draft = draft;
    this.cameraId = cameraId;
    this.span = span;
    this.#rule.addEventListener("change", () => this.#offer());
    const field = (id, label, input) => h("div", { class: "field inline" }, h("label", { for: id, text: label }), input);
    this.node = h("details", { class: "threshold" }, h("summary", { text: "Look for a threshold" }), h("div", { class: "actions what-if-ask" }, field("threshold-rule", "Rule", this.#rule), field("threshold-param", "Parameter", this.#param), this.#go), this.#said, this.#found);
  }

  /** The rules of the draft as they are now. */
  show(wrong) {
    const { rules } = this.draft.value;
    const chosen = this.#rule.value;
    put(this.#rule, rules.map((rule, i) => h("option", { value: String(i), text: ruleTitle(rule), selected: String(i) === chosen })));
    this.#go.disabled = wrong || this.#busy || !rules.length;
    this.#offer();
  }

  #offer() {
    const rule = this.draft.value.rules[Number(this.#rule.value)];
    const names = rule ? Object.entries(rule.params).filter(([, value]) => typeof value === "number").map(([name]) => name) : [];
    const chosen = names.includes(this.#param.value) ? this.#param.value : (USUAL.find((name) => names.includes(name)) ?? names[0]);
    put(this.#param, names.map((name) => h("option", { value: name, text: factLabel(name), selected: name === chosen })));
  }

  async #try() {
    const index = Number(this.#rule.value);
    const name = this.#param.value;
    const draft = structuredClone(this.draft.value);
    const rule = draft.rules[index];
    const now = rule.params[name];
    const values = valuesOf(name, now);
    const [since, until] = this.span().map((ms) => new Date(ms).toISOString());
    const rows = [];
    const refused = [];
    this.#busy = true;
    this.#go.disabled = true;
    put(this.#found);
    for (const [n, value] of values.entries()) {
      this.#said.textContent = `The worker tries ${n + 1} of ${values.length}: ${factLabel(name).toLowerCase()} ${factValue(name, value)} …`;
      rule.params[name] = value;
      try {
        const found = await api.tryConfiguration(this.cameraId, { configuration: draft, since, until });
        rows.push({ value, ...tally(found.lines, rule) });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        refused.push(`${factValue(name, value)}: ${error.message}`);
      }
    }
    this.#busy = false;
    this.#go.disabled = false;
    this.#show(rows, refused, { index, name, now });
  }

  #show(rows, refused, { index, name, now }) {
    const pick = best(rows, now);
    const words = pick === null ? "No verdict on these alerts decides between the values." : pick.value === now ? `As it is now (${factValue(name, now)}) is the best of these: it keeps ${pick.all} of ${pick.all} true alerts and ${pick.wrong} of ${pick.wrongBefore} false ones.` : `${factLabel(name)} ${factValue(name, pick.value)} keeps ${pick.all} of ${pick.all} true alerts and ${pick.wrong} of ${pick.wrongBefore} false ones. That is a proposal from few alerts; nothing is changed by it.`;
    this.#said.textContent = [rows.length ? words : "Nothing could be tried.", ...refused.map((text) => `Not tried, ${text}`)].join(" ");
    if (!rows.length) return;
    const head = [factLabel(name), "True kept", "False left", "Without a clear verdict", "New", ""].map((text, i) => h("th", { scope: "col", class: i && i < 5 ? "figure" : null, text }));
    const figure = (text) => h("td", { class: "figure", text });
    const take = (value) => h("button", { class: "button quiet", type: "button", text: "Take it", onclick: () => this.draft.change((next) => void (next.rules[index].params[name] = value)) });
    const line = (row) => h("tr", { class: row === pick ? "proposed" : null }, h("td", {}, factValue(name, row.value), row.value === now ? h("span", { class: "muted", text: " now" }) : null), figure(`${row.kept} of ${row.all}`), figure(`${row.wrong} of ${row.wrongBefore}`), figure(String(row.other)), figure(String(row.appear)), h("td", {}, row.value === now ? null : take(row.value)));
    put(this.#found, h("div", { class: "table-scroll" }, h("table", { class: "table" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows.map(line)))));
  }
}
