// Law: what the rules of the draft would have alerted of the hours before, beside what there was and what people said of it. Changes nothing.

import { ApiError, api } from "./api.js";
import { severityBadge } from "./badges.js";
import { h, put } from "./dom.js";
import { at, duration, number } from "./format.js";
import { alertHash } from "./router.js";
import { ThresholdPanel } from "./threshold_panel.js";
import { VERDICT, ruleName } from "./words.js";

const HOUR_MS = 3_600_000;
const NIGHT = { from: 20, hours: 10 };
const FATE = { stays: "Stays", vanishes: "Vanishes", appears: "Appears" };

/** How far a zone's clock is from UTC at a moment, ms. */
function offsetOf(zone, ms) {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" }).formatToParts(new Date(ms));
  const get = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(get.year, get.month - 1, get.day, get.hour, get.minute, get.second) - Math.floor(ms / 1000) * 1000;
}

/** The last night that is over, on the clock of the camera's place. */
export function lastNight(zone, now) {
  const wall = now + offsetOf(zone, now);
  const midnight = Math.floor(wall / (24 * HOUR_MS)) * 24 * HOUR_MS;
  const end = (NIGHT.from + NIGHT.hours - 24) * HOUR_MS;
  const over = wall - midnight >= end ? midnight : midnight - 24 * HOUR_MS;
  const utc = (local) => local - offsetOf(zone, local - offsetOf(zone, local));
  return [utc(over - (24 - NIGHT.from) * HOUR_MS), utc(over + end)];
}

const SPANS = {
  night: ["Last night, 20:00 to 06:00", (zone, now) => lastNight(zone, now)],
  1: ["The last hour", (_zone, now) => [now - HOUR_MS, now]],
  12: ["The last 12 hours", (_zone, now) => [now - 12 * HOUR_MS, now]],
  24: ["The last 24 hours", (_zone, now) => [now - 24 * HOUR_MS, now]],
};

const count = (lines, fate) => lines.filter((one) => one.fate === fate);

function verdictWords(lines) {
  const said = Object.keys(VERDICT).map((code) => [lines.filter((one) => one.past.verdict === code).length, VERDICT[code].toLowerCase()]);
  const none = lines.filter((one) => !one.past.verdict).length;
  const parts = [...said, [none, "without a verdict"]].filter(([n]) => n).map(([n, words]) => `${n} ${words}`);
  return parts.length ? ` (${parts.join(", ")})` : "";
}

/** The outcome in a sentence or two. */
function summary(found) {
  const { lines } = found;
  const [stays, vanishes, appears] = ["stays", "vanishes", "appears"].map((fate) => count(lines, fate));
  const out = [`${number(stays.length)} stay${stays.length === 1 ? "s" : ""}${verdictWords(stays)}, ${number(vanishes.length)} vanish${vanishes.length === 1 ? "es" : ""}${verdictWords(vanishes)}, ${number(appears.length)} appear${appears.length === 1 ? "s" : ""}.`];
  out.push(`Tracks of ${duration(found.covered_s)} were judged in ${duration(found.took_s)}.`);
  if (found.n_not_covered) out.push(`${number(found.n_not_covered)} more opened while no tracks were kept and ${found.n_not_covered === 1 ? "is" : "are"} not compared.`);
  if (found.left_out.length) out.push(`Not tried, since tracks alone do not tell: ${found.left_out.map(ruleName).join(", ")}.`);
  return out.join(" ");
}

function row({ fate, past, would }, zone) {
  const told = past ?? would;
  const grade = past && would && past.severity !== would.severity ? [severityBadge(past.severity), " → ", severityBadge(would.severity)] : severityBadge(told.severity);
  const place = `${ruleName(told.rule)}${told.zone ? ` · ${told.zone}` : ""}${told.shadow ? " (silently)" : ""}`;
  return h(
    "tr",
    { class: `fate-${fate}` },
    h("td", {}, h("span", { class: `fate fate-${fate}`, text: FATE[fate] })),
    h("td", {}, at(told.opened_at, zone)),
    h("td", {}, past ? h("a", { class: "link", href: alertHash(past.alert_id), text: place }) : place),
    h("td", { class: "nowrap" }, grade),
    h("td", {}, past?.verdict ? h("span", { class: `verdict verdict-${past.verdict}`, text: VERDICT[past.verdict] }) : h("span", { class: "muted", text: "–" })),
    h("td", { class: "muted", text: (would ?? past).reason }),
  );
}

function table(lines, zone) {
  if (!lines.length) return h("p", { class: "muted", text: "There was no alert, and there would have been none." });
  const head = ["", "Opened", "Alert", "Severity", "Verdict", "Reason"].map((text) => h("th", { scope: "col", text }));
  return h("div", { class: "table-scroll" }, h("table", { class: "table" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, lines.map((line) => row(line, zone)))));
}

export class WhatIfPanel {
  #span = h("select", { id: "what-if-span" }, Object.entries(SPANS).map(([value, [text]]) => h("option", { value, text, selected: value === "12" })));
  #go = h("button", { class: "button", type: "button", text: "Try these rules", onclick: () => void this.#try() });
  #said = h("p", { role: "status" });
  #found = h("div");

  /** `draft` is what is tried on the tracks of `camera`. */
  constructor(draft, camera) {
    this.draft = draft;
    this.camera = camera;
    this.threshold = new ThresholdPanel(draft, camera.camera_id, () => this.#chosen());
    this.node = h("div", { class: "panel-pad" }, h("p", { class: "muted", text: "The rules as they stand on this page, on the tracks that the worker has kept. Nothing is changed by it; only saving changes what is judged from now on." }), h("div", { class: "actions what-if-ask" }, h("div", { class: "field inline" }, h("label", { for: "what-if-span", text: "Tracks of" }), this.#span), this.#go), this.#said, this.#found, this.threshold.node);
  }

  /** Not while the draft is wrong. */
  lock(wrong) {
    this.#go.disabled = wrong || this.#said.dataset.busy === "yes";
    this.threshold.show(wrong);
  }

  #chosen() {
    return SPANS[this.#span.value][1](this.camera.timezone ?? "UTC", Date.now());
  }

  async #try() {
    const zone = this.camera.timezone ?? "UTC";
    const [since, until] = this.#chosen();
    this.#said.dataset.busy = "yes";
    this.#said.className = "muted";
    this.#said.textContent = "The worker judges the tracks …";
    this.#go.disabled = true;
    put(this.#found);
    try {
      const body = { configuration: this.draft.value, since: new Date(since).toISOString(), until: new Date(until).toISOString() };
      const found = await api.tryConfiguration(this.camera.camera_id, body);
      this.#show(found, until, zone);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#said.className = "failure";
      this.#said.textContent = `Not tried. ${error.message}`;
    }
    this.#said.dataset.busy = "no";
    this.#go.disabled = false;
  }

  #show(found, until, zone) {
    this.#said.className = "";
    if (!found.n_pictures) {
      this.#said.textContent = "The worker has kept no tracks of that time.";
      return;
    }
    const early = Date.parse(found.judged_until) < until - 60_000;
    put(this.#said, summary(found), early ? [" Tracks end at ", at(found.judged_until, zone), "; what came later is not compared."] : null);
    put(this.#found, table(found.lines, zone));
  }
}
