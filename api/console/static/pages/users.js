// Law: who may do what, for administrators: people, what they may see, one-time passwords (shown once), workers' tokens (shown once).

import { ApiError, api } from "../api.js";
import { failure, loading } from "../badges.js";
import { h, put } from "../dom.js";
import { at } from "../format.js";
import { privacyForm } from "../privacy_form.js";

const ROLES = [
  ["viewer", "Viewer: looks"],
  ["operator", "Operator: gives verdicts"],
  ["admin", "Administrator"],
];
const NAME = { required: true, maxlength: 64, pattern: "[a-z0-9][a-z0-9._\\-]*", autocapitalize: "none", spellcheck: "false", autocomplete: "off", title: "a-z, 0-9, dot, dash, underscore" };

const roleSelect = (role, props) => h("select", props, ROLES.map(([code, words]) => h("option", { value: code, text: words, selected: code === role })));

/** Which cameras a person may see: {node, value()}; value() is null for all of them. */
function scopeField(cameras, chosen, label) {
  const all = h("input", { type: "checkbox", checked: chosen === null });
  const ids = [...new Set([...cameras.map((c) => c.camera_id), ...(chosen ?? [])])];
  const names = new Map(cameras.map((c) => [c.camera_id, c.name]));
  const boxes = ids.map((id) => h("input", { type: "checkbox", value: id, checked: (chosen ?? []).includes(id) }));
  const some = h("div", { class: "scope-some" }, boxes.map((box) => h("label", { class: "check" }, box, names.get(box.value) ?? box.value)), ids.length ? null : h("p", { class: "muted", text: "No camera is known yet." }));
  const show = () => void (some.hidden = all.checked);
  all.addEventListener("change", show);
  show();
  const node = h("fieldset", { class: "scope" }, h("legend", { class: "visually-hidden", text: label }), h("label", { class: "check" }, all, "All cameras"), some);
  return { node, value: () => (all.checked ? null : boxes.filter((box) => box.checked).map((box) => box.value)), lock: (locked) => ((all.disabled = locked), locked && ((all.checked = true), show())) };
}

/** An administrator sees every camera. */
function tie(role, scope) {
  const follow = () => scope.lock(role.value === "admin");
  role.addEventListener("change", follow);
  follow();
}

export function usersPage({ me }) {
  const people = h("tbody");
  const tokens = h("ul", { class: "tokens" });
  const secret = h("div", { class: "secret panel", role: "alert", hidden: true });
  const problem = h("div", { role: "alert" });
  const adding = h("div");
  const privacy = privacyForm(run);
  let ended = false;

  async function run(work) {
    put(problem);
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      put(problem, failure(error.message));
    }
  }

  function once(title, text, hint) {
    secret.hidden = false;
    put(secret, h("p", {}, h("strong", { text: title })), h("p", {}, h("code", { class: "secret-text", text })), h("p", { class: "muted", text: hint }), h("button", { class: "button quiet", type: "button", text: "Done", onclick: () => (put(secret), (secret.hidden = true)) }));
    secret.scrollIntoView({ block: "nearest" });
  }

  function row(person, cameras) {
    const role = roleSelect(person.role, { "aria-label": `Role of ${person.name}` });
    const scope = scopeField(cameras, person.cameras, `Cameras of ${person.name}`);
    tie(role, scope);
    const enabled = h("input", { type: "checkbox", checked: !person.disabled_at, "aria-label": `${person.name} may log in` });
    const change = () => run(async () => (await api.changeUser(person.name, { role: role.value, cameras: scope.value(), disabled: !enabled.checked }), await read()));
    const reset = () => run(async () => once(`One-time password of ${person.name}`, (await api.resetPassword(person.name)).one_time_password, "Shown only now. It must be changed at the next login."));
    const note = person.disabled_at ? "disabled" : person.must_change_password ? "one-time password" : "";
    return h("tr", { "data-person": person.name }, h("td", {}, h("strong", { text: person.name }), h("p", { class: "muted", text: [person.name === me.name ? "you" : "", note].filter(Boolean).join(", ") })), h("td", {}, role), h("td", {}, scope.node), h("td", {}, h("label", { class: "check" }, enabled, "May log in")), h("td", { class: "row-buttons" }, h("button", { class: "button", type: "button", text: "Save", onclick: change }), h("button", { class: "button quiet", type: "button", text: "New password", onclick: reset })));
  }

  function addForm(cameras) {
    const name = h("input", { id: "person-name", ...NAME });
    const role = roleSelect("operator", { id: "person-role" });
    const scope = scopeField(cameras, null, "Cameras of the new person");
    tie(role, scope);
    const form = h("form", { class: "person-form" }, h("div", { class: "field" }, h("label", { for: "person-name", text: "Name" }), name), h("div", { class: "field" }, h("label", { for: "person-role", text: "Role" }), role), scope.node, h("button", { class: "button primary", type: "submit", text: "Add person" }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      run(async () => {
        const made = await api.addUser({ name: name.value, role: role.value, cameras: scope.value() });
        once(`One-time password of ${made.name}`, made.one_time_password, "Shown only now. It must be changed at the first login.");
        put(adding);
        await read();
      });
    });
    return form;
  }

  function tokenForm() {
    const name = h("input", { id: "token-name", ...NAME });
    const form = h("form", { class: "person-form" }, h("div", { class: "field" }, h("label", { for: "token-name", text: "Name of the worker" }), name), h("button", { class: "button", type: "submit", text: "Make a token" }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      run(async () => {
        const made = await api.makeToken(name.value);
        once(`Token of ${made.name}`, made.token, "Shown only now. An older token of this worker has stopped working.");
        name.value = "";
        await read();
      });
    });
    return form;
  }

  async function read() {
    const [users, known, cameras] = await Promise.all([api.users(), api.tokens(), api.cameras()]);
    if (ended) return;
    cameras.sort((a, b) => a.name.localeCompare(b.name));
    put(people, users.map((person) => row(person, cameras)));
    if (!adding.children.length) put(adding, addForm(cameras)); // what is typed there stays
    put(tokens, known.map((token) => h("li", {}, h("strong", { text: token.name }), h("span", { class: "muted" }, "since ", at(token.created_at)), h("button", { class: "button quiet", type: "button", text: "End", "aria-label": `End the token of ${token.name}`, onclick: () => run(async () => (await api.endToken(token.name), await read())) }))));
  }

  put(people, h("tr", {}, h("td", {}, loading("Reading people …"))));
  run(read);
  run(privacy.read);
  const head = ["Name", "Role", "Sees", "", ""].map((text) => h("th", { scope: "col", text }));
  return {
    node: h(
      "main",
      { class: "desk desk-wide", id: "main" },
      h("header", { class: "section-head" }, h("h1", { text: "Users" }), h("span", { class: "count", text: "A change ends the person's sessions" })),
      problem,
      secret,
      h("section", { class: "panel", "aria-label": "People" }, h("div", { class: "table-body" }, h("table", { class: "table" }, h("thead", {}, h("tr", {}, head)), people))),
      h("section", { class: "panel desk-form", "aria-labelledby": "add-title" }, h("h2", { id: "add-title", text: "Add a person" }), adding),
      h("section", { class: "panel desk-form", "aria-labelledby": "tokens-title" }, h("h2", { id: "tokens-title", text: "Workers' tokens" }), tokens, tokenForm()),
      privacy.node,
    ),
    end() {
      ended = true;
    },
  };
}
