// Law: every key the console knows is declared through here, so that the help page (?) is complete by construction.
// Keys are not taken while a person types, nor when a browser shortcut (Ctrl, Alt, Meta) is meant.

import { h } from "./dom.js";

const scopes = []; // {title, bindings: [{keys, label, run, shown?}]}; the newest is asked first

/** Declare keys; returns the function that takes them back. A binding's `run` may return false for "not mine now". */
export function useKeys(title, bindings) {
  const scope = { title, bindings };
  scopes.push(scope);
  return () => {
    const at = scopes.indexOf(scope);
    if (at >= 0) scopes.splice(at, 1);
  };
}

function typing(target) {
  return target.matches("input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable]");
}

/** Space and Enter belong to the control that has the focus. */
function pressesControl(key, target) {
  return (key === " " || key === "Enter") && target.matches("button, summary, a[href], [role=button], input[type=checkbox]");
}

function movesControl(key, target) {
  return key.startsWith("Arrow") && target.matches("input[type=range]");
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]")) return;
  const target = event.target instanceof Element ? event.target : document.body;
  if (typing(target) || pressesControl(event.key, target) || movesControl(event.key, target)) return;
  for (const scope of [...scopes].reverse()) {
    for (const binding of scope.bindings) {
      if (binding.keys.includes(event.key) && binding.run(event) !== false) {
        event.preventDefault();
        return;
      }
    }
  }
}

const NAMES = { " ": "Space", ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", Escape: "Esc" };

/** How a key is written for a person. */
export function keyCap(key) {
  return h("kbd", { text: NAMES[key] ?? key });
}

/** The page with all keys that work here. */
export function showHelp() {
  const groups = [...scopes].reverse().map((scope) =>
    h(
      "section",
      {},
      h("h3", { text: scope.title }),
      h(
        "dl",
        { class: "keys" },
        scope.bindings.map((b) => h("div", {}, h("dt", {}, b.keys.map(keyCap)), h("dd", { text: b.label }))),
      ),
    ),
  );
  const close = h("button", { class: "button", type: "button", text: "Close", onclick: () => dialog.close() });
  const dialog = h(
    "dialog",
    { class: "help", "aria-labelledby": "help-title" },
    h("header", {}, h("h2", { id: "help-title", text: "Keys" }), close),
    h("div", { class: "help-groups" }, groups),
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "?") return;
    event.preventDefault();
    dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
}

document.addEventListener("keydown", onKey);
