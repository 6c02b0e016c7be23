// Law: one rule of a camera as a form: what it looks for, where, when, and every parameter with its meaning. Changes go to the draft at once.

import { h, put } from "./dom.js";
import { CHOICES, RULE_MEANING, countersOf, meaningOf } from "./param_words.js";
import { SEVERITY, factLabel, ruleName } from "./words.js";

let made = 0;

function field(label, input, hint) {
  made += 1;
  const id = `rule-field-${made}`;
  input.id = id;
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  return h("div", { class: "field" }, h("label", { for: id, text: label }), input, hint ? h("p", { class: "hint", id: `${id}-hint`, text: hint }) : null);
}

function select(options, value, change) {
  const known = options.some(([code]) => code === value) ? options : [...options, [value, `${value} (not there)`]];
  const node = h("select", null, known.map(([code, words]) => h("option", { value: code, text: words, selected: code === value })));
  node.addEventListener("change", () => change(node.value));
  return node;
}

function paramField(rule, name, value, change) {
  const hint = meaningOf(rule, name);
  if (CHOICES[name]) return field(factLabel(name), select(CHOICES[name], value, change), hint);
  if (typeof value === "boolean") {
    const box = h("input", { type: "checkbox", checked: value, onchange: () => change(box.checked) });
    return h("label", { class: "tick", title: hint }, box, h("span", { text: factLabel(name) }));
  }
  const isNumber = typeof value === "number";
  const input = h("input", { type: isNumber ? "number" : "text", step: "any", required: true, value });
  input.addEventListener("change", () => {
    if (isNumber && !Number.isFinite(input.valueAsNumber)) input.value = value;
    else change(isNumber ? input.valueAsNumber : input.value);
  });
  return field(factLabel(name), input, hint);
}

function timesField(label, times, hint, change) {
  const input = h("textarea", { rows: 2, spellcheck: "false", placeholder: "Always" }, times.join("\n"));
  input.addEventListener("change", () => change(input.value.split("\n").map((line) => line.trim()).filter(Boolean)));
  return field(label, input, hint);
}

const placed = (list, nothing) => [...(nothing ? [["", nothing]] : []), ...list.map(({ name }) => [name, name])];

/** Zones where things change hands all day, for rules that leave them out. */
function countersField(zones, chosen, change) {
  const box = (name) => h("label", { class: "check" }, h("input", { type: "checkbox", checked: chosen.includes(name), onchange: (event) => change(event.target.checked ? [...chosen, name] : chosen.filter((one) => one !== name)) }), name);
  const gone = chosen.filter((name) => !zones.some((zone) => zone.name === name));
  return h("fieldset", { class: "scope" }, h("legend", { class: "muted", text: "Counters, where things change hands all day" }), [...zones.map((zone) => zone.name), ...gone].map(box), zones.length ? null : h("p", { class: "muted", text: "Draw a zone first." }));
}

/** A new rule of this kind, with its parameters as they are when nothing is chosen. */
export function freshRule(kind, { lines }) {
  return { rule: kind.rule, zone: "", line: kind.at_line ? (lines[0]?.name ?? "") : "", params: { ...kind.params }, active: [], raised: [], severity: null, shadow: false };
}

/** The form of rule `index` of the draft, by a worker's rulebook. */
export function ruleForm(draft, index, rulebook) {
  const rule = draft.value.rules[index];
  const kind = rulebook.find((one) => one.rule === rule.rule) ?? { in_zone: true, at_line: rule.line !== "", params: rule.params };
  const set = (edit) => draft.change((value) => edit(value.rules[index]));
  const params = { ...kind.params, ...rule.params };
  const kinds = select(rulebook.map((one) => [one.rule, ruleName(one.rule)]), rule.rule, (name) => {
    const next = rulebook.find((one) => one.rule === name);
    draft.change((value) => void (value.rules[index] = { ...freshRule(next, value), zone: next.in_zone ? rule.zone : "" }));
  });
  const severity = select([["", "The rule's own"], ...Object.entries(SEVERITY)], rule.severity ?? "", (code) => set((r) => void (r.severity = code || null)));
  const body = h("div", { class: "rule-form" });
  put(
    body,
    h(
      "div",
      { class: "form-grid" },
      field("Rule", kinds, RULE_MEANING[rule.rule]),
      kind.in_zone ? field("Zone", select(placed(draft.value.zones, "The whole picture"), rule.zone, (name) => set((r) => void (r.zone = name)))) : null,
      kind.at_line ? field("Line", select(placed(draft.value.lines, rule.line ? null : "Choose a line"), rule.line, (name) => set((r) => void (r.line = name)))) : null,
      Object.entries(params).map(([name, value]) => name === "counters" ? countersField(draft.value.zones, countersOf(rule), (names) => set((r) => void (r.params.counters = names.join(", ")))) : paramField(rule.rule, name, value, (v) => set((r) => void (r.params[name] = v)))),
    ),
    h(
      "details",
      { open: rule.active.length > 0 || rule.raised.length > 0 || rule.severity !== null || rule.shadow },
      h("summary", { text: "When, and how urgent" }),
      h(
        "div",
        { class: "form-grid" },
        timesField("In force", rule.active, "One span a line, on the camera's clock: Mon-Fri 18:00-06:00. Empty is always.", (times) => set((r) => void (r.active = times))),
        timesField("More urgent", rule.raised, "Spans in which its alerts are one step more severe.", (times) => set((r) => void (r.raised = times))),
        field("Severity", severity),
        h("label", { class: "tick" }, h("input", { type: "checkbox", checked: rule.shadow, onchange: (event) => set((r) => void (r.shadow = event.target.checked)) }), h("span", { text: "Run silently: judged, stored and counted, never put before people" })),
      ),
    ),
  );
  return body;
}
