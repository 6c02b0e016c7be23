// Law: what the alerts of some days amount to: how many an hour, how often a rule was right, how long a verdict took, how much was seen.
// Every share stands with its counts and its interval: three verdicts are no proof.

import { ApiError, api } from "../api.js";
import { emptyState, failure, loading, stateDot } from "../badges.js";
import { h, put, svg } from "../dom.js";
import { duration, number, percent } from "../format.js";
import { ruleName } from "../words.js";

const DAYS = { 1: "the last day", 7: "the last 7 days", 31: "the last 31 days" };
const FIGURES = new Set(["Alerts", "True", "False", "Unclear"]); // columns of numbers, right under right
const HOUR_MS = 3_600_000;
const W = 960;
const H = 120;

const hourWords = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** Bars of alerts an hour; all hours of the span, also those without any. */
function hourChart({ since, until, per_hour }) {
  const first = Math.floor(Date.parse(since) / HOUR_MS);
  const n = Math.floor(Date.parse(until) / HOUR_MS) - first + 1;
  const most = Math.max(1, ...per_hour.map((one) => one.n));
  const step = W / n;
  const bars = per_hour.map((one) => {
    const at = Math.floor(Date.parse(one.hour) / HOUR_MS) - first;
    const tall = Math.max(2, (one.n / most) * H);
    return svg("rect", { x: (at * step).toFixed(2), y: (H - tall).toFixed(2), width: Math.max(1, step - 0.6).toFixed(2), height: tall.toFixed(2) }, svg("title", null, `${hourWords.format(new Date(one.hour))}: ${one.n}`));
  });
  const busiest = per_hour.reduce((a, b) => (b.n > (a?.n ?? 0) ? b : a), null);
  const words = busiest ? `Most in an hour: ${number(busiest.n)}, from ${hourWords.format(new Date(busiest.hour))}.` : "No alerts.";
  return h("div", { class: "panel-pad" }, svg("svg", { class: "hours", viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: "none", role: "img", "aria-label": `Alerts an hour. ${words}` }, bars), h("p", { class: "hours-ends muted" }, h("span", { text: hourWords.format(new Date(since)) }), h("span", { text: words }), h("span", { text: hourWords.format(new Date(until)) })));
}

/** The interval as a line from 0 to 1 with the share on it. */
function interval({ precision, ci95 }) {
  if (precision === null) return h("span", { class: "muted", text: "nothing said true or false yet" });
  const [low, high] = ci95;
  return h("span", { class: "interval" }, h("span", { text: `${percent(precision)} (${percent(low)} to ${percent(high)})` }), svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { class: "interval-ground", x: 0, y: 3, width: 100, height: 2 }), svg("rect", { class: "interval-span", x: low * 100, y: 2, width: Math.max(1, (high - low) * 100), height: 4 }), svg("rect", { class: "interval-mark", x: Math.min(98.5, precision * 100), y: 0, width: 1.5, height: 8 })));
}

function table(head, rows) {
  return h("div", { class: "table-scroll" }, h("table", { class: "table" }, h("thead", null, h("tr", null, head.map((text) => h("th", { scope: "col", class: FIGURES.has(text) ? "figure" : null, text })))), h("tbody", null, rows)));
}

function precisionTable(lines) {
  const figure = (n) => h("td", { class: "figure", text: number(n) });
  return table(
    ["Camera", "Rule", "Alerts", "True", "False", "Unclear", "Precision, and where it lies (95 %)"],
    lines.map((one) => h("tr", null, h("td", { text: one.camera_name }), h("td", {}, ruleName(one.rule), one.shadow ? h("span", { class: "muted", text: " silently" }) : null), figure(one.n_alerts), figure(one.n_true), figure(one.n_false), figure(one.n_unclear), h("td", null, interval(one)))),
  );
}

function coverageTable(cameras) {
  return table(
    ["Camera", "State", "Analysed share of the time"],
    cameras.map((one) => h("tr", null, h("td", { text: one.camera_name }), h("td", null, stateDot(one.state)), h("td", { text: percent(one.coverage) }))),
  );
}

function part(id, title, ...body) {
  return h("section", { class: "panel", "aria-labelledby": id }, h("header", { class: "section-head" }, h("h2", { id, text: title })), body);
}

function numbers(found) {
  const { n, median_s, p90_s } = found.to_verdict;
  const said = found.precision.reduce((sum, one) => sum + one.n_true + one.n_false + one.n_unclear, 0);
  const one = (value, words) => h("div", { class: "big" }, h("dd", { text: value }), h("dt", { text: words }));
  return h("dl", { class: "bigs" }, one(number(found.n_alerts), "alerts"), one(number(said), "with a verdict"), one(n ? duration(median_s) : "–", "until the verdict, half of them"), one(n ? duration(p90_s) : "–", "until the verdict, nine in ten"));
}

export function insightsPage(_context, route) {
  const days = route.params.days in DAYS ? route.params.days : "7";
  const choose = h("select", { id: "days" }, Object.entries(DAYS).map(([value, text]) => h("option", { value, text, selected: value === days })));
  choose.addEventListener("change", () => void (location.hash = `#/insights?days=${choose.value}`));
  const body = h("div", { class: "stack" }, loading("Counting …"));
  const node = h("main", { class: "page", id: "main" }, h("header", { class: "section-head page-head" }, h("h1", { text: "Insights" }), h("div", { class: "field inline" }, h("label", { for: "days", text: "Alerts of" }), choose)), body);
  let ended = false;

  async function read() {
    try {
      const found = await api.insights({ days });
      if (ended) return;
      if (!found.n_alerts && !found.coverage.length) put(body, emptyState("Nothing to count yet", "Figures appear with the first camera and the first alert."));
      else put(body, numbers(found), part("hours-title", "Alerts an hour", hourChart(found)), part("precision-title", "How often a rule was right", found.precision.length ? precisionTable(found.precision) : h("p", { class: "panel-pad muted", text: "No alerts in this time." })), part("coverage-title", "What was seen", coverageTable(found.coverage)));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!ended) put(body, failure(error.message));
    }
  }

  read();
  return { node, end: () => void (ended = true) };
}
