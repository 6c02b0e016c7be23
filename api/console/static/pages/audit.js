// Law: who did what and when, newest first, for administrators; filters are in the address, older pages follow by the service's cursor.

import { ApiError, api } from "../api.js";
import { emptyState, failure, loading } from "../badges.js";
import { h, put } from "../dom.js";
import { at } from "../format.js";
import { useKeys } from "../keys.js";
import { alertHash } from "../router.js";
import { AUDIT } from "../words.js";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function about(text) {
  return UUID.test(text) ? h("a", { href: alertHash(text), text: text.slice(0, 8), title: text }) : text;
}

function details(entry) {
  return Object.entries(entry.details)
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name.replaceAll("_", " ")}: ${value === true ? "yes" : value === false ? "no" : value}`)
    .join(", ");
}

function row(entry) {
  return h("tr", { "data-line": entry.id }, h("td", { class: "number", text: entry.id }), h("td", {}, at(entry.at)), h("td", { text: entry.who }), h("td", { text: AUDIT[entry.what] ?? entry.what }), h("td", {}, about(entry.about)), h("td", { class: "audit-details", text: details(entry) }), h("td", {}, h("code", { text: entry.hash.slice(0, 8), title: entry.hash })));
}

function field(name, label, input) {
  return h("div", { class: "field inline" }, h("label", { for: `audit-${name}`, text: label }), input);
}

/** What a datetime-local field holds, on the viewer's clock, as UTC. */
const utc = (local) => (local ? new Date(local).toISOString() : "");

export function auditPage(_context, route) {
  const wanted = route.params;
  const input = (name, props) => h("input", { id: `audit-${name}`, name, value: wanted[name] ?? "", maxlength: 200, autocapitalize: "none", spellcheck: "false", ...props });
  const what = h("select", { id: "audit-what", name: "what" }, [["", "Everything"], ...Object.entries(AUDIT)].map(([code, words]) => h("option", { value: code, text: words, selected: code === (wanted.what ?? "") })));
  const form = h("form", { class: "filters audit-filters", "aria-label": "Filter" }, field("who", "Who", input("who")), field("what", "What", what), field("about", "About (alert or person)", input("about")), field("since", "From", input("since", { type: "datetime-local" })), field("until", "Until", input("until", { type: "datetime-local" })));
  const rows = h("tbody");
  const head = ["No.", "When", "Who", "What", "About", "Details", "Hash"].map((text) => h("th", { scope: "col", text }));
  const table = h("table", { class: "table" }, h("thead", {}, h("tr", {}, head)), rows);
  const older = h("button", { class: "button quiet older", type: "button", text: "Load older lines", hidden: true, onclick: () => void read() });
  const body = h("div", { class: "panel-body table-body" }, loading("Reading the audit …"));
  let cursor = null;
  let ended = false;

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", () => {
    const chosen = Object.entries(Object.fromEntries(new FormData(form))).filter(([, value]) => value);
    location.hash = chosen.length ? `#/audit?${new URLSearchParams(chosen)}` : "#/audit";
  });

  async function read() {
    older.disabled = true;
    try {
      const page = await api.audit({ ...wanted, since: utc(wanted.since), until: utc(wanted.until), limit: 100, cursor });
      if (ended) return;
      rows.append(...page.items.map(row));
      cursor = page.next;
      older.hidden = !cursor;
      put(body, rows.children.length ? [table, older] : emptyState("No lines", "Nothing in the audit fits this filter."));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!ended) put(body, failure(error.message));
    }
    older.disabled = false;
  }

  const dropKeys = useKeys("Audit", [{ keys: ["/"], label: "Filter by who", run: () => form.querySelector("#audit-who").focus() }]);
  read();
  return {
    node: h("main", { class: "desk desk-wide", id: "main" }, h("header", { class: "section-head" }, h("h1", { text: "Audit" }), h("span", { class: "count", text: "Check the chain with: watchpost audit verify" })), form, h("section", { class: "panel", "aria-label": "Lines" }, body)),
    end() {
      ended = true;
      dropKeys();
    },
  };
}
