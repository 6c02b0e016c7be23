// Law: puts the alert of a page into a case; the cases are read when somebody opens the list.

import { ApiError, api } from "./api.js";
import { announce, h, put } from "./dom.js";

/** `taken()` is called when the alert is in a case, and so held. */
export function casePicker(alertId, taken) {
  const choice = h("select", { id: "case-choice", "aria-label": "Case" });
  const said = h("p", { class: "muted", role: "status" });
  const button = h("button", { class: "button", type: "submit", text: "Put into case" });
  const form = h("form", { class: "case-form", hidden: true }, choice, button);
  const node = h("details", { class: "case-picker" }, h("summary", { text: "Put into a case" }), form, said);

  async function run(work) {
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      put(said, error.message);
    }
    button.disabled = false;
  }

  async function read() {
    const cases = await api.cases();
    form.hidden = !cases.length;
    put(choice, cases.map((one) => h("option", { value: one.case_id, text: `${one.name} (${one.n_alerts})` })));
    if (!cases.length) put(said, "There is no case yet: ", h("a", { href: "#/cases", text: "open one" }), ".");
  }

  node.addEventListener("toggle", () => node.open && run(read));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(async () => {
      const into = await api.putIntoCase(choice.value, alertId);
      put(said, "It is in ", h("a", { href: `#/cases/${into.case_id}`, text: into.name }), ", and held.");
      announce(`Put into ${into.name}`);
      await taken();
    });
  });
  return node;
}
