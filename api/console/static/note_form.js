// Law: words to add to something: a field, a button, Enter saves, Esc leaves, what was refused stays in the field.

import { ApiError } from "./api.js";
import { announce, h } from "./dom.js";
import { keyCap } from "./keys.js";

/** {node, focus()}; `send(text)` stores it. */
export function noteForm({ id, label, verb, key, said, send }) {
  const field = h("textarea", { id, rows: 2, maxlength: 2000, required: true });
  const problem = h("p", { class: "failure", role: "alert", hidden: true });
  const button = h("button", { class: "button", type: "submit" }, verb);
  const form = h("form", { class: "note-form" }, h("div", { class: "field" }, h("label", { for: id }, label, " ", key ? keyCap(key) : null), field), button, problem);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") field.blur();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled || !field.value.trim()) return;
    button.disabled = true;
    problem.hidden = true;
    try {
      await send(field.value.trim());
      field.value = "";
      field.blur();
      announce(said);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      problem.textContent = `Not saved. ${error.message}`;
      problem.hidden = false;
    }
    button.disabled = false;
  });
  return { node: form, focus: () => field.focus() };
}
