// Law: who is there: the login form, and the change of a password that must be changed before anything else.

import { ApiError, OIDC_URL, api } from "../api.js";
import { h, mark, put } from "../dom.js";

const MIN_PASSWORD = 12;

function field(label, props, hint) {
  const hintId = hint ? `${props.name}-hint` : null;
  const input = h("input", { required: true, autocapitalize: "none", spellcheck: "false", id: props.name, "aria-describedby": hintId, ...props });
  const line = h("div", { class: "field" }, h("label", { for: props.name, text: label }), input, hint ? h("p", { class: "hint", id: hintId, text: hint }) : null);
  return { line, input };
}

/** A form card: `submit()` does the work and may throw an Error whose message is shown. */
function card(title, text, fields, verb, submit) {
  const problem = h("p", { class: "failure", role: "alert", hidden: true });
  const button = h("button", { class: "button primary", type: "submit", text: verb });
  const form = h("form", { class: "card", "aria-labelledby": "form-title" }, mark(), h("h1", { id: "form-title", text: title }), h("p", { class: "muted", text }), fields.map((f) => f.line), problem, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    button.disabled = true;
    try {
      await submit();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      fields.at(-1).input.select();
    }
    button.disabled = false;
  });
  return { node: h("main", { class: "gate" }, form), focus: () => fields.find((f) => f.input).input.focus() };
}

/** `done(me)` is called with who is logged in. */
export function loginPage(done) {
  const name = field("Name", { name: "name", type: "text", autocomplete: "username", maxlength: 64 });
  const password = field("Password", { name: "password", type: "password", autocomplete: "current-password", maxlength: 256 });
  const page = card("Watchpost", "Log in to see your cameras and their alerts.", [name, password], "Log in", async () => {
    done(await api.login(name.input.value, password.input.value));
  });
  const others = h("div", { class: "other-ways" });
  page.node.querySelector("form").append(others);
  showOthers(others);
  return page;
}

/** The login at a provider, where there is one, and what became of the last try. */
async function showOthers(place) {
  const refused = new URLSearchParams(location.search).get("login") === "refused";
  if (refused) history.replaceState(null, "", location.pathname + location.hash);
  const said = refused ? h("p", { class: "failure", role: "alert", text: "The login at your organisation was refused. Ask an administrator whether you may use this service." }) : null;
  put(place, said);
  try {
    if ((await api.ways()).oidc) put(place, said, h("a", { class: "button", href: OIDC_URL, text: "Log in at your organisation" }));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error; // name and password are still there
  }
}

/** Shown while `me.must_change_password`; `done(me)` as above. */
export function passwordPage(me, done) {
  const old = field("One-time or current password", { name: "old", type: "password", autocomplete: "current-password", maxlength: 256 });
  const fresh = field("New password", { name: "new", type: "password", autocomplete: "new-password", minlength: MIN_PASSWORD, maxlength: 256 }, `At least ${MIN_PASSWORD} characters.`);
  const again = field("New password, again", { name: "again", type: "password", autocomplete: "new-password", maxlength: 256 });
  const who = { line: h("input", { type: "text", name: "username", autocomplete: "username", value: me.name, hidden: true }) }; // for the browser's password store
  return card("Choose a password", `You are logged in as ${me.name}. Choose your own password before you go on.`, [who, old, fresh, again], "Save and go on", async () => {
    if (fresh.input.value !== again.input.value) throw new Error("The two new passwords are not the same.");
    if (fresh.input.value === old.input.value) throw new Error("The new password is the old one.");
    await api.changePassword(old.input.value, fresh.input.value);
    done(await api.me());
  });
}
