// Law: how the whole system does: the service's problems, cameras with their trouble, workers, targets outside, disks. Trouble stands first.

import { ApiError, api } from "../api.js";
import { failure, loading, stateDot } from "../badges.js";
import { h, put } from "../dom.js";
import { age, number, percent } from "../format.js";
import { TROUBLE } from "../words.js";

const EVERY_MS = 5000;
const GIB = 2 ** 30;
const FIGURES = new Set(["Coverage", "Dropped", "Cameras", "In the outbox", "Refused"]); // columns of numbers
const TROUBLE_FIRST = { offline: 0, starting: 1, stopping: 1, ended: 2, online: 3 };

function part(id, title, ...body) {
  return h("section", { class: "panel", "aria-labelledby": id }, h("header", { class: "section-head" }, h("h2", { id, text: title })), body);
}

function table(head, rows, none) {
  if (!rows.length) return h("p", { class: "panel-pad muted", text: none });
  return h("div", { class: "table-scroll" }, h("table", { class: "table" }, h("thead", null, h("tr", null, head.map((text) => h("th", { scope: "col", class: FIGURES.has(text) ? "figure" : null, text })))), h("tbody", null, rows)));
}

function cameraRows(cameras) {
  const shown = cameras.filter((one) => one.state !== "removed");
  shown.sort((a, b) => (TROUBLE_FIRST[a.state] ?? 0) - (TROUBLE_FIRST[b.state] ?? 0) || a.name.localeCompare(b.name));
  const figure = (text) => h("td", { class: "figure", text });
  return shown.map((one) => h("tr", null, h("td", { text: one.name }), h("td", null, stateDot(one.state)), troubleCell(one), figure(percent(one.coverage)), figure(number(one.n_dropped)), h("td", null, one.seen_at ? age(one.seen_at, one.timezone) : "never")));
}

/** In plain words what is wrong, and beneath it what the worker says of it. */
function troubleCell({ trouble, reason }) {
  if (!trouble) return h("td", { text: reason || "–" });
  return h("td", null, h("strong", { text: TROUBLE[trouble] ?? trouble }), reason ? h("p", { class: "muted", text: reason }) : null);
}

function workerDisk(disk) {
  if (!disk) return "does not answer";
  return disk.full ? h("span", { class: "chip chip-bad", title: "Alerts go on, and say that there was no room for evidence", text: "Full: no evidence" }) : room(disk.free_bytes, disk.total_bytes);
}

function workerRows(workers) {
  const figure = (n) => h("td", { class: "figure", text: number(n) });
  return workers.map((one) => h("tr", null, h("td", { text: one.worker_id }), h("td", null, h("span", { class: one.silent ? "chip chip-bad" : "chip chip-good", text: one.silent ? "Silent" : "Well" })), h("td", null, age(one.seen_at)), figure(one.n_cameras), figure(one.n_outbox), figure(one.n_refused), h("td", null, workerDisk(one.disk))));
}

const room = (free, total) => `${number(free / GIB)} of ${number(total / GIB)} GiB free (${percent(free / total)})`;

function diskRow(name, free, total, words) {
  return h("tr", null, h("td", { text: name }), h("td", { text: total === null ? "does not answer" : room(free, total) }), h("td", { text: words }));
}

function outboundWords({ n_targets, n_failing, n_waiting }) {
  if (!n_targets) return "No targets.";
  return `${number(n_targets)} ${n_targets === 1 ? "target" : "targets"}, ${n_failing ? `${number(n_failing)} not reached` : "all reached"}; ${n_waiting ? `${number(n_waiting)} messages wait` : "nothing waits"}.`;
}

function problems({ status, problems: lines }) {
  if (!lines.length) return h("div", { class: "panel-pad" }, h("p", null, h("span", { class: "chip chip-good", text: status === "ok" ? "Well" : status }), " The service can store alerts and evidence."));
  return h("ul", { class: "panel-pad problems" }, lines.map((text) => h("li", { class: "failure", text })));
}

export function healthPage() {
  const body = h("div", { class: "stack" }, loading("Asking …"));
  const node = h("main", { class: "page", id: "main" }, h("h1", { text: "Health" }), body);
  let ended = false;

  async function read() {
    try {
      const [health, details, cameras] = await Promise.all([api.health(), api.serviceDetails(), api.cameras()]);
      if (ended) return;
      put(
        body,
        part("service-title", "Service", problems(health)),
        part("cameras-title", "Cameras", table(["Camera", "State", "Trouble", "Coverage", "Dropped", "Last pulse"], cameraRows(cameras), "No camera has reported yet.")),
        part("workers-title", "Workers", table(["Worker", "State", "Last pulse", "Cameras", "In the outbox", "Refused", "Disk"], workerRows(details.workers), "No worker has reported since the service started.")),
        part("outbound-title", "Outbound", h("p", { class: details.outbound.n_failing ? "panel-pad trouble" : "panel-pad", text: outboundWords(details.outbound) })),
        part("disks-title", "Disks", table(["Disk", "Room", "State"], [diskRow("Evidence", details.evidence_free_bytes, details.evidence_total_bytes, details.evidence_state), diskRow("Database", details.data_free_bytes, details.data_total_bytes, health.database)], "")),
        part("key-title", "Signing key", h("p", { class: "panel-pad" }, h("span", { class: "muted", text: "Bundles of evidence are signed by the key with this fingerprint:" }), h("code", { class: "mono", text: details.signing_key }))),
      );
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!ended) put(body, failure(error.message));
    }
  }

  read();
  const timer = setInterval(read, EVERY_MS);
  return {
    node,
    end() {
      ended = true;
      clearInterval(timer);
    },
  };
}
