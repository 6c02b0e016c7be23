// Law: one camera's zones, lines, masks and rules: drawn and chosen here, saved as versions by a person, judged by the worker, always undoable.

import { ApiError, api, pictureUrl } from "../api.js";
import { emptyState, failure, loading, stateDot } from "../badges.js";
import { changes, newest, ruleTitle, sizeWords, standing } from "../configuration_words.js";
import { announce, h, icon, put } from "../dom.js";
import { Draft } from "../draft.js";
import { Drawing } from "../drawing.js";
import { age } from "../format.js";
import { problemsOf } from "../geometry.js";
import { keyCap, useKeys } from "../keys.js";
import { PlaceList } from "../place_list.js";
import { freshRule, ruleForm } from "../rule_form.js";
import { WhatIfPanel } from "../what_if_panel.js";

const EVERY_MS = 2000;

function section(id, title, ...body) {
  return h("section", { class: "panel", "aria-labelledby": id }, h("header", { class: "section-head" }, h("h2", { id, text: title })), body);
}

/** The page of an editor that has what it needs. */
class Editor {
  #status = h("p", { class: "standing", role: "status" });
  #problems = h("ul", { class: "problems", role: "status", "aria-label": "What is wrong" });
  #changes = h("ul", { class: "changes" });
  #rules = h("div", { class: "rules" });
  #history = h("ol", { class: "versions" });
  #note = h("input", { id: "version-note", type: "text", maxlength: 2000, autocomplete: "off", placeholder: "Why, for those who read it later" });
  #save = h("button", { class: "button primary", type: "button", onclick: () => void this.save() });
  #failed = h("p", { class: "failure", role: "alert", hidden: true });
  #undo = h("button", { class: "button", type: "button", title: "Ctrl+Z", onclick: () => this.undo() }, "Undo", keyCap("u"));
  #redo = h("button", { class: "button", type: "button", title: "Ctrl+Shift+Z", onclick: () => this.redo() }, "Redo", keyCap("U"));
  #open = new Set(); // numbers of the rules whose form is open

  constructor(camera, found, me) {
    this.camera = camera;
    this.found = found;
    this.mayEdit = me.role === "admin";
    this.draft = new Draft(newest(found));
    this.drawing = new Drawing(this.draft, { width: camera.width, height: camera.height, name: camera.name, editable: this.mayEdit });
    this.places = new PlaceList(this.draft, this.drawing, this.mayEdit);
    this.whatIf = new WhatIfPanel(this.draft, camera);
    this.draft.addEventListener("change", () => this.show());
    this.drawing.addEventListener("mode", () => this.#showButtons());
    this.node = this.#build();
    this.show();
    this.take(found);
  }

  #build() {
    const draw = (kind, words, key) => h("button", { class: "button", type: "button", "data-draw": kind, onclick: () => this.drawing.begin(kind) }, words, keyCap(key));
    this.drawButtons = [draw("zones", "Draw a zone", "d"), draw("lines", "Draw a line", "e"), draw("masks", "Draw a mask", "m")];
    const bar = this.mayEdit ? h("div", { class: "actions draw-bar" }, this.drawButtons, h("span", { class: "spacer" }), this.#undo, this.#redo) : null;
    const add = h("button", { class: "button", type: "button", text: "Add a rule", onclick: () => this.addRule() });
    const saving = section("save-title", "Save", h("div", { class: "panel-pad" }, this.#changes, h("div", { class: "field" }, h("label", { for: "version-note", text: "Note" }), this.#note), this.#failed, h("p", { class: "actions" }, this.#save, h("button", { class: "button quiet", type: "button", text: "Back to what was saved", onclick: () => this.load(newest(this.found), "") }))));
    return h(
      "div",
      { class: "stack" },
      this.#status,
      h("div", { class: "editor" }, h("section", { class: "panel editor-stage", "aria-label": "Picture" }, bar, this.drawing.node, this.#problems), this.places.node),
      section("rules-title", "Rules", h("div", { class: "panel-pad" }, this.#rules, this.mayEdit ? h("p", { class: "actions" }, add) : null)),
      this.mayEdit ? section("what-if-title", "What would have alerted", this.whatIf.node) : null,
      this.mayEdit ? saving : null,
      section("history-title", "Versions", this.#history),
    );
  }

  // ------------------------------------------------------------ what a person does

  undo() {
    return this.draft.undo();
  }

  redo() {
    return this.draft.redo();
  }

  addRule() {
    const kind = this.found.worker.rulebook[0];
    this.#open.add(this.draft.value.rules.length);
    this.draft.change((value) => value.rules.push(freshRule(kind, value)));
    this.#rules.querySelector("li:last-child select")?.focus();
  }

  #removeRule(index) {
    this.#open = new Set([...this.#open].filter((n) => n !== index).map((n) => (n > index ? n - 1 : n)));
    this.draft.change((value) => value.rules.splice(index, 1));
  }

  load(configuration, note) {
    this.draft.change((value) => Object.assign(value, structuredClone(configuration)));
    this.drawing.select(null);
    this.#note.value = note;
    this.node.scrollIntoView({ block: "start" });
  }

  async save(configuration = this.draft.value) {
    if (this.#save.disabled && configuration === this.draft.value) return;
    this.#save.disabled = true;
    this.#failed.hidden = true;
    try {
      const body = { based_on: this.found.version, configuration, note: this.#note.value.trim() };
      const found = await api.saveConfiguration(this.camera.camera_id, body);
      this.#note.value = "";
      if (configuration === null) this.draft.change((value) => Object.assign(value, structuredClone(newest(found))));
      this.take(found);
      this.draft.saved();
      announce(`Version ${found.version} saved`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#failed.textContent = `Not saved. ${error.message}`;
      this.#failed.hidden = false;
    }
    this.#showButtons();
  }

  // ------------------------------------------------------------ what is shown

  /** What the service says now; a version made elsewhere replaces a draft that nobody has touched. */
  take(found) {
    const other = found.version !== this.found.version;
    this.found = found;
    if (other && !this.draft.dirty) {
      this.draft.change((value) => Object.assign(value, structuredClone(newest(found))));
      this.draft.saved();
    }
    const { kind, words } = standing(found);
    const text = `${words}${this.draft.dirty && other ? " Somebody else made it while this page was open; saving from here is refused until you go back to what was saved." : ""}`;
    if (this.#status.textContent !== text) this.#status.textContent = text;
    this.#status.className = `standing standing-${kind}`;
    const shown = JSON.stringify(found.versions) + this.draft.dirty;
    if (this.shownVersions !== shown) this.#showHistory();
    this.shownVersions = shown;
    this.#showButtons();
  }

  show() {
    this.problems = problemsOf(this.draft.value);
    this.drawing.mark(this.problems);
    this.places.show(this.problems);
    put(this.#problems, this.problems.map((one) => h("li", { class: "failure", text: one.text })));
    this.#problems.hidden = !this.problems.length;
    this.#showRules();
    const lines = changes(newest(this.found), this.draft.value);
    put(this.#changes, lines.length ? lines.map((text) => h("li", { text })) : h("li", { class: "muted", text: "Nothing is changed." }));
    this.#showButtons();
  }

  #showButtons() {
    this.#undo.disabled = !this.draft.canUndo;
    this.#redo.disabled = !this.draft.canRedo;
    for (const button of this.drawButtons) button.setAttribute("aria-pressed", String(this.drawing.drawing === button.dataset.draw));
    this.#save.textContent = `Save as version ${this.found.version + 1}`;
    this.#save.disabled = this.problems.length > 0 || !changes(newest(this.found), this.draft.value).length;
    this.whatIf.lock(this.problems.length > 0);
    this.#save.title = this.problems.length ? "Mend what is marked first" : "";
  }

  #showRules() {
    const at = this.#rules.contains(document.activeElement) ? [...this.#rules.querySelectorAll("input, select, textarea, summary, button")].indexOf(document.activeElement) : -1;
    const { rules } = this.draft.value;
    put(this.#rules, rules.length ? h("ul", { class: "rule-list" }, rules.map((rule, index) => this.#rule(rule, index))) : h("p", { class: "muted", text: "No rule: nothing will alert here." }));
    if (at >= 0) [...this.#rules.querySelectorAll("input, select, textarea, summary, button")][at]?.focus();
  }

  #rule(rule, index) {
    const bad = this.problems.some((one) => one.kind === "rules" && one.index === index);
    const box = h("details", { open: this.#open.has(index) || null, class: bad ? "rule bad" : "rule" }, h("summary", {}, h("span", { class: "row-rule", text: ruleTitle(rule) })));
    const fill = () => {
      if (box.open && !box.querySelector(".rule-form")) box.append(this.mayEdit ? this.#ruleBody(index) : this.#ruleWords(rule));
    };
    box.addEventListener("toggle", () => {
      if (box.open) this.#open.add(index);
      else this.#open.delete(index);
      fill();
    });
    fill();
    return h("li", { "data-rule": rule.rule }, box);
  }

  #ruleBody(index) {
    return h("div", { class: "rule-body" }, ruleForm(this.draft, index, this.found.worker.rulebook), h("p", { class: "actions" }, h("button", { class: "button danger", type: "button", text: "Remove this rule", onclick: () => this.#removeRule(index) })));
  }

  #ruleWords(rule) {
    const form = ruleForm(this.draft, this.draft.value.rules.indexOf(rule), this.found.worker.rulebook);
    for (const input of form.querySelectorAll("input, select, textarea")) input.disabled = true;
    return form;
  }

  #showHistory() {
    const { versions, worker } = this.found;
    const one = (version, words, when, configuration) =>
      h(
        "li",
        { class: "version" },
        h("span", { class: "version-head" }, h("strong", { text: words }), worker.version === version ? h("span", { class: "chip chip-good", text: "In force" }) : null, worker.refused && worker.answered === version ? h("span", { class: "chip chip-bad", text: "Refused" }) : null, when),
        h("span", { class: "muted", text: sizeWords(configuration) }),
        this.mayEdit ? h("button", { class: "button quiet", type: "button", text: "Put it into the drawing", onclick: () => this.load(configuration ?? worker.base, version ? `Version ${version} again` : "The site file again") }) : null,
      );
    const made = versions.map((v) => one(v.version, `Version ${v.version}`, h("span", { class: "muted" }, `${v.by}, `, age(v.at, this.camera.timezone), v.note ? ` · ${v.note}` : ""), v.configuration));
    put(this.#history, made, one(0, "Site file", h("span", { class: "muted", text: "as the worker has it" }), worker.base));
    if (this.mayEdit && this.found.version > 0 && versions[0].configuration !== null) this.#history.lastChild.append(h("button", { class: "button quiet", type: "button", text: "Let the site file count again", onclick: () => void this.save(null) }));
  }
}

export function cameraPage({ store, me }, route) {
  const cameraId = route.parts[1];
  const title = h("h1", { text: cameraId });
  const state = h("span", { class: "camera-state" });
  const body = h("div", {}, loading("Reading the configuration …"));
  const back = h("a", { class: "button quiet", href: "#/cameras" }, icon("left"), "Cameras");
  let editor = null;
  let picture = null;
  let ended = false;

  const camera = () => store.cameras.get(cameraId);
  const look = () => {
    const now = camera();
    if (!now) return;
    title.textContent = now.name;
    put(state, stateDot(now.state), " ", now.reason ? h("span", { class: "muted", text: now.reason }) : null);
    if (editor && now.picture_at && now.picture_at !== picture && !editor.drawing.drawing) {
      picture = now.picture_at;
      editor.drawing.picture(pictureUrl(cameraId, picture));
    }
  };

  async function read() {
    try {
      const found = await api.configuration(cameraId);
      if (ended || (!camera() && !store.loaded)) return;
      if (editor) editor.take(found);
      else if (!found.worker) put(body, emptyState("Nothing to draw on yet", "The worker of this camera has not told what it can judge. It does so within seconds of its start."));
      else {
        editor = new Editor(camera() ?? { camera_id: cameraId, name: cameraId }, found, me);
        put(body, editor.node);
      }
      look();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!ended && !editor) put(body, failure(error.message));
    }
  }

  const leave = () => {
    if (editor?.drawing.cancel()) return;
    if (editor?.drawing.selected) editor.drawing.select(null);
    else if (!editor?.draft.dirty) back.click();
  };
  const begin = (kind) => editor !== null && editor.mayEdit && void editor.drawing.begin(kind);
  const dropKeys = useKeys("Camera", [
    ...(me.role === "admin"
      ? [
          { keys: ["d"], label: "Draw a zone", run: () => begin("zones") },
          { keys: ["e"], label: "Draw a line", run: () => begin("lines") },
          { keys: ["m"], label: "Draw a mask", run: () => begin("masks") },
          { keys: ["u"], label: "Undo", run: () => editor?.undo() ?? false },
          { keys: ["U"], label: "Redo", run: () => editor?.redo() ?? false },
        ]
      : []),
    { keys: ["Escape"], label: "Give up drawing, or leave what is selected; else back to all cameras", run: leave },
  ]);
  const node = h("main", { class: "page page-wide", id: "main" }, h("header", { class: "section-head page-head" }, back, title, state, h("span", { class: "spacer" })), body);
  node.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target.matches("input, textarea")) return;
    event.preventDefault();
    if (event.shiftKey) editor?.redo();
    else editor?.undo();
  });
  store.addEventListener("cameras", look);
  look();
  read();
  const timer = setInterval(read, EVERY_MS);
  const tiles = setInterval(() => document.hidden || store.refreshCameras(), 3 * EVERY_MS);
  return {
    node,
    end() {
      ended = true;
      clearInterval(timer);
      clearInterval(tiles);
      dropKeys();
      store.removeEventListener("cameras", look);
    },
  };
}
