// Law: small signs shared by all pages. Each says its meaning by shape and word, never by colour alone.

import { h, icon } from "./dom.js";
import { CAMERA_STATE, PHASE, REASON, SEVERITY, VERDICT } from "./words.js";

export function severityBadge(severity) {
  return h("span", { class: `severity severity-${severity}` }, icon(severity), h("span", { text: SEVERITY[severity] }));
}

export function phaseChip(phase) {
  const ongoing = phase !== "closed";
  return h("span", { class: ongoing ? "chip chip-ongoing" : "chip", text: PHASE[phase] });
}

/** Who works on an alert now; it goes when the claim ends (format.js). */
export function claimChip({ claim }) {
  if (!claim || Date.parse(claim.ends_at) <= Date.now()) return null;
  return h("span", { class: "chip chip-claim", "data-until": claim.ends_at, title: `${claim.by} works on it`, text: claim.by });
}

const VERDICT_ICON = { true: "check", false: "cross", unclear: "question" };

export function verdictBadge(verdict, withReason = false) {
  if (!verdict) return h("span", { class: "verdict verdict-none", text: "No verdict" });
  const reason = withReason && verdict.reason ? `: ${(REASON[verdict.reason] ?? verdict.reason).split(",")[0].toLowerCase()}` : "";
  return h(
    "span",
    { class: `verdict verdict-${verdict.verdict}`, title: `by ${verdict.by}` },
    icon(VERDICT_ICON[verdict.verdict]),
    h("span", { text: `${VERDICT[verdict.verdict]}${reason}` }),
  );
}

export function stateDot(state) {
  return h("span", { class: `state state-${state}` }, h("span", { text: CAMERA_STATE[state] ?? state }));
}

/** A box with words for a page part that has nothing to show. */
export function emptyState(title, text, ...more) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title", text: title }), h("p", { text }), more);
}

export const loading = (text) => h("p", { class: "loading", role: "status", text });
export const failure = (text) => h("p", { class: "failure", role: "alert", text });
