// Law: for which roles people are blurred, chosen by an administrator.

import { api } from "./api.js";
import { announce, h, put } from "./dom.js";

const ROLES = [
  ["viewer", "Viewers"],
  ["operator", "Operators"],
  ["admin", "Administrators"],
];

/** {node, read()}; `run(work)` does it and shows what was refused. */
export function privacyForm(run) {
  const boxes = ROLES.map(([role]) => h("input", { type: "checkbox", value: role, disabled: true })); // until it is known what is chosen
  const said = h("p", { class: "muted", role: "status" });
  const save = h("button", { class: "button", type: "submit", text: "Save", disabled: true });
  const form = h("form", { class: "person-form" }, ROLES.map(([, words], n) => h("label", { class: "check" }, boxes[n], words)), save);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(async () => {
      await api.choosePrivacy(boxes.filter((box) => box.checked).map((box) => box.value));
      put(said, "Saved. What was revealed until now is blurred again.");
      announce("Saved");
    });
  });
  const hint = h("p", { class: "muted", text: "Blurred in every snapshot, clip and camera picture, until an operator or administrator reveals an alert with a reason." });
  return {
    node: h("section", { class: "panel desk-form privacy-form", "aria-labelledby": "privacy-title" }, h("h2", { id: "privacy-title", text: "People are blurred for" }), hint, form, said),
    async read() {
      const { blurred } = await api.privacy();
      for (const box of boxes) {
        box.checked = blurred.includes(box.value);
        box.disabled = false;
      }
      save.disabled = false;
    },
  };
}
