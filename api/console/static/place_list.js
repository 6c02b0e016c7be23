// Law: the places of a picture as a list beside it: their names, what is wrong with them, what uses them. A name changes in the rules too.

import { ruleTitle } from "./configuration_words.js";
import { announce, h, icon, put } from "./dom.js";
import { countersOf } from "./param_words.js";

const TITLES = { zones: "Zones", lines: "Lines", masks: "Masks" };
const HINTS = {
  zones: "Where rules look. People are placed by their feet.",
  lines: "For crossings and wrong ways; the arrow is the direction.",
  masks: "Black for everybody, in pictures and clips, before anything is stored.",
};

const usedBy = (value, kind, name) => (kind === "masks" ? [] : value.rules.filter((rule) => (kind === "zones" ? rule.zone === name || countersOf(rule).includes(name) : rule.line === name)));

export class PlaceList {
  #lists = Object.fromEntries(Object.keys(TITLES).map((kind) => [kind, h("ul", { class: "place-list" })]));
  #said = h("p", { class: "failure", role: "alert", hidden: true });

  constructor(draft, drawing, mayEdit) {
    this.draft = draft;
    this.drawing = drawing;
    this.mayEdit = mayEdit;
    drawing.addEventListener("select", () => this.#mark());
    this.node = h(
      "section",
      { class: "panel places", "aria-label": "Zones, lines and masks" },
      Object.entries(TITLES).map(([kind, title]) => h("div", { class: "place-group" }, h("h2", { text: title }), h("p", { class: "hint", text: HINTS[kind] }), this.#lists[kind])),
      this.#said,
    );
  }

  show(problems) {
    const at = this.node.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    for (const [kind, list] of Object.entries(this.#lists)) {
      const bad = new Set(problems.filter((one) => one.kind === kind).map((one) => one.index));
      const places = this.draft.value[kind];
      put(list, places.length ? places.map((place, index) => this.#row(kind, index, place, bad.has(index))) : h("li", { class: "muted", text: "None" }));
    }
    this.#mark();
    if (at) this.node.querySelector(`[data-id="${at}"]`)?.focus();
  }

  #mark() {
    const chosen = this.drawing.selected;
    for (const row of this.node.querySelectorAll("li[data-place]")) row.classList.toggle("selected", chosen !== null && row.dataset.place === `${chosen.kind}-${chosen.index}`);
  }

  #row(kind, index, place, bad) {
    const id = `${kind}-${index}`;
    if (!this.mayEdit) return h("li", { "data-place": id }, h("span", { text: place.name }));
    const name = h("input", { type: "text", value: place.name, maxlength: 100, spellcheck: "false", "aria-label": `Name of ${place.name}`, "data-id": `name-${id}`, class: bad ? "bad" : null });
    name.addEventListener("focus", () => this.drawing.select({ kind, index }));
    name.addEventListener("change", () => this.#rename(kind, index, name));
    const turn = kind === "lines" ? h("button", { class: "button quiet", type: "button", title: "The other direction", "aria-label": `Turn ${place.name} round`, "data-id": `turn-${id}`, onclick: () => this.draft.change((value) => void value.lines[index].points.reverse()) }, "Turn") : null;
    const remove = h("button", { class: "button quiet icon-button", type: "button", title: "Remove", "aria-label": `Remove ${place.name}`, "data-id": `remove-${id}`, onclick: () => this.#remove(kind, index) }, icon("cross"));
    return h("li", { "data-place": id, onclick: (event) => event.target.tagName === "LI" && this.drawing.select({ kind, index }) }, name, turn, remove);
  }

  #rename(kind, index, input) {
    const old = this.draft.value[kind][index].name;
    const name = input.value.trim();
    if (!name) input.value = old;
    if (!name || name === old) return;
    this.draft.change((value) => {
      value[kind][index].name = name;
      for (const rule of usedBy(value, kind, old)) {
        if (kind === "lines") rule.line = name;
        else if (rule.zone === old) rule.zone = name;
        if (kind === "zones" && rule.params.counters) rule.params.counters = countersOf(rule).map((one) => (one === old ? name : one)).join(", ");
      }
    });
  }

  #remove(kind, index) {
    const { name } = this.draft.value[kind][index];
    const users = usedBy(this.draft.value, kind, name);
    this.#said.hidden = !users.length;
    if (users.length) {
      this.#said.textContent = `“${name}” stays: ${users.map(ruleTitle).join(", ")} ${users.length === 1 ? "uses" : "use"} it.`;
      return;
    }
    this.drawing.select(null);
    this.draft.change((value) => value[kind].splice(index, 1));
    announce(`${name} removed`);
  }
}
