// Law: cases: named collections of alerts whose evidence stays; one case with its alerts, its note and its signed bundle.

import { AlertList, listKeys } from "../alert_list.js";
import { ApiError, api, caseBundleUrl } from "../api.js";
import { emptyState, failure, loading } from "../badges.js";
import { h, put } from "../dom.js";
import { at } from "../format.js";
import { useKeys } from "../keys.js";

const caseHash = (caseId) => `#/cases/${caseId}`;

/** A form with a name and a note; `send({name, note})` stores them. */
function caseForm(id, verb, { name, note }, send) {
  const title = h("input", { id: `${id}-name`, required: true, maxlength: 100, value: name, autocomplete: "off" });
  const words = h("textarea", { id: `${id}-note`, rows: 2, maxlength: 2000, text: note });
  const problem = h("p", { class: "failure", role: "alert", hidden: true });
  const form = h("form", { class: "note-form" }, h("div", { class: "field" }, h("label", { for: title.id, text: "Name" }), title), h("div", { class: "field" }, h("label", { for: words.id, text: "Note" }), words), h("button", { class: "button", type: "submit", text: verb }), problem);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    try {
      await send({ name: title.value, note: words.value });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      problem.textContent = `Not saved. ${error.message}`;
      problem.hidden = false;
    }
  });
  return { node: form, focus: () => title.focus() };
}

function listPage() {
  const body = h("div", { class: "panel-body" }, loading("Reading cases …"));
  const form = caseForm("new-case", "Open case", { name: "", note: "" }, async (wish) => void (location.hash = caseHash((await api.openCase(wish)).case_id)));
  const row = (one) => h("tr", { "data-case": one.case_id }, h("td", {}, h("a", { href: caseHash(one.case_id), text: one.name })), h("td", { class: "number", text: one.n_alerts }), h("td", { text: one.by }), h("td", {}, at(one.at)));

  async function read() {
    try {
      const cases = await api.cases();
      const head = ["Name", "Alerts", "Opened by", "When"].map((text) => h("th", { scope: "col", text }));
      put(body, cases.length ? h("table", { class: "table" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, cases.map(row))) : emptyState("No cases yet", "Open one here, then put alerts into it from their pages."));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      put(body, failure(error.message));
    }
  }

  const dropKeys = useKeys("Cases", [{ keys: ["w"], label: "Open a new case", run: () => form.focus() }]);
  read();
  return {
    node: h("main", { class: "desk", id: "main" }, h("header", { class: "section-head" }, h("h1", { text: "Cases" }), h("span", { class: "count", text: "Evidence in a case stays" })), h("section", { class: "panel desk-form", "aria-label": "New case" }, form.node), h("section", { class: "panel", "aria-label": "Cases" }, body)),
    end: dropKeys,
  };
}

function casePage({ store }, caseId) {
  const list = new AlertList("Alerts of this case, oldest first", (id) => store.cameras.get(id)?.timezone);
  const body = h("div", { class: "panel-body" }, loading("Reading the case …"));
  const head = h("header", { class: "section-head" });
  const about = h("section", { class: "panel desk-form", "aria-label": "About this case" });
  const said = h("p", { class: "muted", role: "status" });
  const out = h("button", { class: "button quiet", type: "button", text: "Take the chosen alert out", onclick: () => void takeOut() });
  const choice = h("select", { id: "case-alert", "aria-label": "Alert to take out" });

  function show(found) {
    put(head, h("h1", { text: found.name }), h("span", { class: "count" }, `Opened by ${found.by}, `, at(found.at)));
    const form = caseForm("case", "Save", found, async (wish) => (show(await api.changeCase(caseId, wish)), put(said, "Saved.")));
    put(about, form.node, said, h("a", { class: "button bundle", href: caseBundleUrl(caseId), download: "", text: "Download signed bundle of all" }));
    list.show(found.alerts);
    put(choice, found.alerts.map((a) => h("option", { value: a.alert_id, text: `${a.camera_name}: ${a.reason}` })));
    put(body, found.alerts.length ? [list.node, h("p", { class: "case-out" }, choice, out)] : emptyState("No alerts yet", "Put alerts into this case from their pages."));
  }

  async function run(work) {
    try {
      show(await work());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      put(body, failure(error.status === 404 || error.status === 422 ? "There is no such case." : error.message));
    }
  }

  const takeOut = () => run(() => api.takeOutOfCase(caseId, choice.value));
  const dropKeys = useKeys("Case", listKeys(list));
  run(() => api.case(caseId));
  return { node: h("main", { class: "desk desk-wide", id: "main" }, h("a", { class: "back", href: "#/cases", text: "Back to the cases" }), head, about, h("section", { class: "panel", "aria-label": "Alerts" }, body)), end: dropKeys };
}

export function casesPage(context, route) {
  return route.parts[1] ? casePage(context, route.parts[1]) : listPage();
}
