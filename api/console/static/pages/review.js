// Law: the alerts that wait for a verdict, most severe and oldest first; with other filters, any alerts, newest first.

import { AlertList, listKeys } from "../alert_list.js";
import { ApiError, api } from "../api.js";
import { emptyState, failure, loading } from "../badges.js";
import { h, put } from "../dom.js";
import { keyCap, useKeys } from "../keys.js";
import { queueOrder, readAlerts } from "../queue.js";
import { reviewHash } from "../router.js";
import { newestFirst } from "../store.js";
import { SEVERITY, VERDICT } from "../words.js";

function choice(label, name, value, options) {
  const select = h("select", { id: `filter-${name}`, name }, options.map(([code, words]) => h("option", { value: code, text: words, selected: code === value })));
  return h("div", { class: "field inline" }, h("label", { for: `filter-${name}`, text: label }), select);
}

/** What the service is asked for: "any" and "ongoing" are words of this page. */
function serviceFilter({ camera_id, severity, verdict = "none", phase, suppressed }) {
  return { suppressed, camera_id, severity, verdict: verdict === "any" ? "" : verdict, phase: phase === "ended" ? "closed" : "" };
}

/** "": shown, "only": suppressed, "shadow": of a silent rule. */
function standing({ suppressed }) {
  if (!suppressed) return "";
  return suppressed.why === "shadow" ? "shadow" : "only";
}

function matches(alert, { camera_id, severity, verdict = "none", phase, suppressed }) {
  const word = alert.verdict?.verdict ?? "none";
  return (
    standing(alert) === (suppressed ?? "") &&
    (!camera_id || alert.camera_id === camera_id) &&
    (!severity || alert.severity === severity) &&
    (verdict === "any" || word === verdict) &&
    (!phase || (alert.phase === "closed") === (phase === "ended"))
  );
}

const MOST_AT_ONCE = 200; // alerts in one order to the service
const DUPLICATE = { verdict: "false", reason: "duplicate" };

export function reviewPage({ store, me }, route) {
  const filter = route.params;
  const verdict = filter.verdict ?? "none";
  const isQueue = verdict === "none";
  const order = isQueue ? queueOrder : newestFirst;
  const list = new AlertList(isQueue ? "Alerts without a verdict, most severe first" : "Alerts, newest first", (id) => store.cameras.get(id)?.timezone, me.role === "viewer" ? null : showMany);
  const manyWords = h("span", { role: "status" });
  const manyButton = h("button", { class: "button", type: "button", onclick: () => void closeMany() }, "Close as duplicates", keyCap("d"));
  const many = h("section", { class: "panel many", "aria-label": "Picked alerts", hidden: true }, manyWords, manyButton, h("button", { class: "button quiet", type: "button", onclick: () => leaveAll() }, "Leave them", keyCap("Escape")));
  const said = h("p", { class: "muted said", role: "status", hidden: true });
  const body = h("div", { class: "panel-body" });
  const count = h("span", { class: "count", role: "status" });
  const form = h("form", { class: "filters", "aria-label": "Filter" });
  const note = h("p", { class: "muted note", hidden: true });
  const found = new Map();
  let more = false;

  function showFilters() {
    const cameras = [...store.cameras.values()].sort((a, b) => a.name.localeCompare(b.name));
    const known = [["", "All cameras"], ...cameras.map((c) => [c.camera_id, c.name])];
    if (filter.camera_id && !store.cameras.has(filter.camera_id)) known.push([filter.camera_id, filter.camera_id]);
    put(
      form,
      choice("Verdict", "verdict", verdict, [["none", "Without a verdict"], ...Object.entries(VERDICT), ["any", "Any"]]),
      choice("Camera", "camera_id", filter.camera_id ?? "", known),
      choice("Severity", "severity", filter.severity ?? "", [["", "All severities"], ...Object.entries(SEVERITY)]),
      choice("State", "phase", filter.phase ?? "", [["", "Ongoing and ended"], ["ongoing", "Ongoing"], ["ended", "Ended"]]),
      choice("Suppression", "suppressed", filter.suppressed ?? "", [["", "Shown"], ["only", "Suppressed"], ["shadow", "Silent rules"]]),
    );
  }
  form.addEventListener("change", () => {
    const chosen = Object.fromEntries(new FormData(form));
    if (chosen.verdict === "none") delete chosen.verdict;
    location.hash = reviewHash(chosen);
  });

  function show() {
    const alerts = [...found.values()].sort(order);
    count.textContent = `${alerts.length}${more ? "+" : ""} ${alerts.length === 1 ? "alert" : "alerts"}`;
    list.show(alerts);
    note.hidden = !more;
    note.textContent = `The newest ${alerts.length} are shown; older ones follow when these are done.`;
    if (!alerts.length) put(body, nothing());
    else if (list.node.parentNode !== body) put(body, list.node, note);
  }

  function showMany(ids) {
    many.hidden = ids.length === 0;
    manyWords.textContent = `${ids.length} picked`;
  }

  function leaveAll() {
    if (!list.picked.size) return false;
    for (const alertId of [...list.picked]) list.pick(alertId, false);
    return true;
  }

  /** The service closes those that are open and nobody else's; it names the others. */
  async function closeMany() {
    const ids = [...list.picked].slice(0, MOST_AT_ONCE);
    if (!ids.length || manyButton.disabled) return;
    manyButton.disabled = true;
    try {
      const answer = await api.closeMany(ids, DUPLICATE);
      const left = answer.left.map((one) => one.reason);
      said.textContent = [`${answer.n_closed} closed as duplicates.`, left.length ? `${left.length} left: ${[...new Set(left)].join("; ")}.` : ""].join(" ");
      leaveAll();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      said.textContent = `Not closed. ${error.message}`;
    }
    said.hidden = false;
    manyButton.disabled = false;
  }

  function nothing() {
    const unfiltered = isQueue && !filter.camera_id && !filter.severity && !filter.phase && !filter.suppressed;
    return unfiltered
      ? emptyState("All caught up", "No alert waits for a verdict. New ones appear here by themselves.")
      : emptyState("Nothing matches", "No alert fits this filter.");
  }

  function sort(alerts) {
    for (const alert of alerts) {
      if (matches(alert, filter)) found.set(alert.alert_id, alert);
      else found.delete(alert.alert_id);
    }
  }

  async function read() {
    const late = (event) => changed.push(...event.detail.values());
    const changed = [];
    store.addEventListener("alerts", late);
    try {
      const answer = await readAlerts(serviceFilter(filter));
      more = answer.more;
      found.clear();
      sort([...answer.items, ...changed]);
      show();
    } catch (error) {
      count.textContent = "";
      put(body, failure(error.message));
    }
    store.removeEventListener("alerts", late);
  }

  function onAlerts(event) {
    sort(event.detail.values());
    show();
  }

  const manyKeys = [
    { keys: ["x"], label: "Pick the alert, or leave it", run: () => list.pickFocused() },
    { keys: ["d"], label: "Close the picked alerts as duplicates", run: () => (list.picked.size ? void closeMany() : false) },
    { keys: ["Escape"], label: "Leave what is picked", run: leaveAll },
  ];
  let knownCameras = -1;
  const onCameras = () => {
    if (store.cameras.size === knownCameras) return;
    knownCameras = store.cameras.size;
    showFilters();
  };
  put(body, loading("Reading alerts …"));
  onCameras();
  read();
  store.addEventListener("alerts", onAlerts);
  store.addEventListener("cameras", onCameras);
  store.addEventListener("loaded", read);
  const dropKeys = useKeys("Review", [...listKeys(list), ...(me.role === "viewer" ? [] : manyKeys)]);

  return {
    node: h("main", { class: "review", id: "main" }, h("header", { class: "section-head" }, h("h1", { text: isQueue ? "Review queue" : "Alerts" }), count), form, many, said, h("section", { class: "panel", "aria-label": "Alerts" }, body)),
    end() {
      store.removeEventListener("alerts", onAlerts);
      store.removeEventListener("cameras", onCameras);
      store.removeEventListener("loaded", read);
      dropKeys();
    },
  };
}
