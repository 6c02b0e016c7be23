// Law: whether people are blurred in an alert's pictures, and the way to see them clear: a reason, which the audit keeps.
// The blur is the service's work; nothing clear is on this page before it.

import { h } from "./dom.js";
import { noteForm } from "./note_form.js";

/** {node, show(view), keys()}; `reveal(reason)` asks the service; `allowed`: may this person do so. */
export function privacyBar({ reveal, allowed }) {
  const form = noteForm({ id: "reveal-reason", label: "Why you need to see people", verb: "Reveal people", key: "p", said: "People are shown", send: reveal });
  const words = h("p", {}, h("strong", { text: "People are blurred for you. " }), allowed ? "What you write here stays in the audit." : "An operator can reveal them, with a reason.");
  const node = h("section", { class: "panel privacy-bar", "aria-label": "Privacy", hidden: true }, words, allowed ? form.node : null);
  return {
    node,
    show: (view) => void (node.hidden = !view.blurred),
    keys: () => (allowed ? [{ keys: ["p"], label: "Reveal people, with a reason", run: () => (node.hidden ? false : form.focus()) }] : []),
  };
}
