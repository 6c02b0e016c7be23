// Law: what is known of an alert, as lists a person reads: facts against their limits, its history, and what exactly produced it.

import { severityBadge, verdictBadge } from "./badges.js";
import { h } from "./dom.js";
import { at, duration, number } from "./format.js";
import { alertHash } from "./router.js";
import { DEED, HISTORY, factLabel, factLimit, factValue } from "./words.js";

function line(name, value, ...more) {
  return h("div", {}, h("dt", { text: name }), h("dd", {}, value, more));
}

/** A titled part of the side column. */
export function panel(title, id, ...content) {
  return h("section", { class: "panel", "aria-labelledby": id }, h("header", { class: "section-head" }, h("h2", { id, text: title })), content);
}

/** The alert that was cut off when its worker was interrupted, and that this one goes on with. */
const earlier = (alertId) => h("a", { href: alertHash(alertId), text: "an interrupted alert" });

export function factList({ facts, provenance, score }) {
  const lines = Object.entries(facts).map(([name, value]) => {
    const limit = factLimit(name, value, provenance.params);
    return line(factLabel(name), name === "follows" ? earlier(value) : factValue(name, value), limit ? h("span", { class: limit.met ? "limit limit-met" : "limit", text: limit.words }) : null);
  });
  return h("dl", { class: "facts" }, lines, line("Score", number(score)));
}

export function historyList({ history, verdicts, actions }, zone) {
  const phases = history.map((p) => ({
    when: p.at,
    node: h("li", {}, h("div", { class: "history-head" }, h("strong", { text: HISTORY[p.phase] }), severityBadge(p.severity), at(p.at, zone)), h("p", { text: p.reason })),
  }));
  const words = verdicts.map((v) => ({
    when: v.at,
    node: h("li", { class: "history-verdict" }, h("div", { class: "history-head" }, verdictBadge(v, true), h("span", { class: "muted", text: v.by }), at(v.at, zone)), v.note ? h("p", { text: v.note }) : null),
  }));
  const deeds = actions.map((a) => ({
    when: a.at,
    node: h("li", { class: "history-deed" }, h("div", { class: "history-head" }, h("span", { text: DEED[a.kind] ?? a.kind }), h("span", { class: "muted", text: a.by }), at(a.at, zone)), a.note ? h("p", { class: "note-text", text: a.note }) : null),
  }));
  const all = [...phases, ...words, ...deeds].sort((a, b) => Date.parse(a.when) - Date.parse(b.when));
  return h("ol", { class: "history" }, all.map(({ node }) => node));
}

/** From the picture to this service, for the newest phase. */
function delay({ stages, history }) {
  const received = history.at(-1)?.received_at;
  return received ? duration((Date.parse(received) - Date.parse(stages.captured_at)) / 1000) : "–";
}

export function provenanceList(detail, zone) {
  const { provenance: p, stages } = detail;
  const code = (text) => h("code", { text: text.slice(0, 12), title: text });
  return h(
    "details",
    { class: "panel provenance" },
    h("summary", {}, h("h2", { text: "Where this comes from" })),
    h(
      "dl",
      { class: "facts" },
      line("Network", p.network, h("span", { class: "limit", text: `on ${p.provider}` })),
      line("Network hash", code(p.model_sha256)),
      line("Rule", `${detail.rule}, version ${p.rule_version}`),
      line("Configuration", code(p.config_hash)),
      line("Privacy masks", p.mask_version ? code(p.mask_version) : "none"),
      line("Run", code(p.run_id)),
      line("Software", p.software),
      line("Tracks", detail.track_ids.length > 12 ? `${detail.track_ids.slice(0, 12).join(", ")} …` : detail.track_ids.join(", ")),
      line("Captured", at(stages.captured_at, zone)),
      line("Captured to judged", duration((Date.parse(stages.judged_at) - Date.parse(stages.captured_at)) / 1000)),
      line("Captured to received", delay(detail)),
    ),
    h("h3", { text: "Parameters of the rule" }),
    h("dl", { class: "facts" }, Object.entries(p.params).map(([name, value]) => line(factLabel(name), factValue(name, value)))),
  );
}
