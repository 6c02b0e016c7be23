// Law: what two configurations differ in, and how one stands with the worker, in words. Pure.

import { factLabel, factValue, ruleName } from "./words.js";

const ONE = { zones: "Zone", lines: "Line", masks: "Mask" };
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** "Gathering in yard", "Crossing over door" */
export function ruleTitle({ rule, zone, line, shadow }) {
  const over = line ? ` over ${line}` : "";
  return `${ruleName(rule)}${zone || !line ? ` in ${zone || "the whole picture"}` : ""}${over}${shadow ? ", silently" : ""}`;
}

function placeChanges(kind, before, after) {
  const out = [];
  const known = new Map(before.map((one) => [one.name, one]));
  for (const one of after) {
    if (!known.has(one.name)) out.push(`${ONE[kind]} “${one.name}” is new`);
    else if (!same(known.get(one.name), one)) out.push(`${ONE[kind]} “${one.name}” has another shape`);
  }
  const names = new Set(after.map((one) => one.name));
  for (const one of before) if (!names.has(one.name)) out.push(`${ONE[kind]} “${one.name}” is gone`);
  return out;
}

function oneRule(before, after) {
  const out = [];
  for (const [name, value] of Object.entries(after.params)) {
    if (before.params[name] !== value) out.push(`${factLabel(name).toLowerCase()} ${factValue(name, before.params[name])} → ${factValue(name, value)}`);
  }
  for (const [name, label] of [["active", "in force"], ["raised", "more urgent"]]) {
    if (!same(before[name], after[name])) out.push(`${label}: ${after[name].join(", ") || (name === "active" ? "always" : "never")}`);
  }
  if (before.severity !== after.severity) out.push(`severity: ${after.severity ?? "the rule's own"}`);
  return out.length ? [`${ruleTitle(after)}: ${out.join("; ")}`] : [];
}

function ruleChanges(before, after) {
  const left = [...before];
  const out = [];
  for (const rule of after) {
    const alike = (other) => other.rule === rule.rule && other.zone === rule.zone && other.line === rule.line && other.shadow === rule.shadow;
    let at = left.findIndex((other) => same(other, rule));
    if (at < 0) at = left.findIndex(alike);
    if (at < 0) out.push(`${ruleTitle(rule)} is new`);
    else out.push(...oneRule(...left.splice(at, 1), rule));
  }
  return [...out, ...left.map((rule) => `${ruleTitle(rule)} is gone`)];
}

/** What differs, one line each. */
export function changes(before, after) {
  return [...["zones", "lines", "masks"].flatMap((kind) => placeChanges(kind, before[kind], after[kind])), ...ruleChanges(before.rules, after.rules)];
}

const named = (version) => (version === 0 ? "the site file" : `version ${version}`);

/** {kind: "good" | "wait" | "bad", words} of a ConfigurationOut. */
export function standing({ version, worker }) {
  if (!worker) return { kind: "wait", words: "No worker has told yet what it can judge on this camera." };
  if (worker.answered !== version) return { kind: "wait", words: `Version ${version} waits for the worker; ${named(worker.version)} is in force.` };
  if (worker.refused) return { kind: "bad", words: `The worker refused version ${version}: ${worker.refused}. In force is ${named(worker.version)}.` };
  return { kind: "good", words: version === 0 ? "In force: the worker's site file. Nothing was changed here yet." : `Version ${version} is in force.` };
}

/** The newest configuration, whether or not the worker takes it. */
export function newest({ versions, worker }) {
  return versions[0]?.configuration ?? worker.base;
}

/** "2 zones, 1 rule" */
export function sizeWords(configuration) {
  if (!configuration) return "the worker's site file";
  const parts = [["zones", "zone"], ["lines", "line"], ["masks", "mask"], ["rules", "rule"]].map(([kind, one]) => [configuration[kind].length, one]);
  return parts.filter(([n]) => n).map(([n, one]) => `${n} ${one}${n === 1 ? "" : "s"}`).join(", ") || "nothing";
}
