// Law: one list of alerts, for the feed and for the queue. Rows keep their place, focus and picture while their content changes.

import { snapshotUrl } from "./api.js";
import { claimChip, phaseChip, severityBadge, verdictBadge } from "./badges.js";
import { h, icon, put } from "./dom.js";
import { age } from "./format.js";
import { alertHash } from "./router.js";
import { ruleName } from "./words.js";

function thumbnail(alert) {
  const media = alert.media.snapshot;
  if (media?.state === "ready") {
    return h("img", { class: "thumb", src: snapshotUrl(alert.alert_id), alt: "", loading: "lazy", decoding: "async" });
  }
  const words = media?.state === "missing" ? "No picture" : "Picture on its way";
  return h("span", { class: "thumb thumb-none", title: media?.reason }, icon("camera"), h("span", { text: words }));
}

function row(alert, zone) {
  const where = [alert.camera_name, alert.zone].filter(Boolean).join(" · ");
  return [
    thumbnail(alert),
    h(
      "span",
      { class: "row-main" },
      h("span", { class: "row-head" }, severityBadge(alert.severity), h("span", { class: "row-rule", text: ruleName(alert.rule) }), age(alert.opened_at, zone)),
      h("span", { class: "row-reason", text: alert.reason }),
      h("span", { class: "row-foot" }, h("span", { class: "row-where", text: where, title: where }), claimChip(alert), phaseChip(alert.phase), alert.verdict ? verdictBadge(alert.verdict) : null),
    ),
  ];
}

export class AlertList {
  #rows = new Map(); // id -> {li, link, shown}

  /** `zoneOf(camera_id)` gives a camera's time zone; with `onPick(ids)` rows can be picked. */
  constructor(label, zoneOf, onPick = null) {
    this.zoneOf = zoneOf;
    this.onPick = onPick;
    this.picked = new Set();
    this.node = h("ol", { class: onPick ? "alert-list picks" : "alert-list", "aria-label": label });
  }

  /** Show these alerts in this order; `fresh` holds the ids to point out. */
  show(alerts, fresh = new Set()) {
    const wanted = new Set(alerts.map((a) => a.alert_id));
    for (const [id, { li }] of this.#rows) {
      if (!wanted.has(id)) {
        li.remove();
        this.#rows.delete(id);
        this.pick(id, false);
      }
    }
    alerts.forEach((alert, i) => {
      const { li } = this.#row(alert, fresh.has(alert.alert_id));
      if (this.node.children[i] !== li) this.node.insertBefore(li, this.node.children[i] ?? null);
    });
  }

  #row(alert, fresh) {
    let entry = this.#rows.get(alert.alert_id);
    if (!entry) {
      const link = h("a", { class: "alert-row", href: alertHash(alert.alert_id) });
      const box = this.onPick ? h("input", { class: "pick", type: "checkbox", "aria-label": "Pick this alert", onchange: () => this.pick(alert.alert_id, box.checked) }) : null;
      entry = { link, box, li: h("li", { "data-alert": alert.alert_id }, box, link), shown: null };
      this.#rows.set(alert.alert_id, entry);
    }
    if (entry.shown !== alert) {
      put(entry.link, row(alert, this.zoneOf(alert.camera_id)));
      entry.li.className = `row-${alert.severity}`;
      entry.li.classList.toggle("picked", this.picked.has(alert.alert_id));
      entry.shown = alert;
    }
    entry.li.classList.toggle("fresh", fresh);
    entry.li.classList.toggle("judged", alert.verdict !== null);
    return entry;
  }

  #links() {
    return [...this.node.querySelectorAll("a.alert-row")];
  }

  /** Move the focus by rows; from outside the list, to its first row. */
  move(step) {
    const links = this.#links();
    if (!links.length) return false;
    const now = links.indexOf(document.activeElement);
    const next = now < 0 ? 0 : Math.min(links.length - 1, Math.max(0, now + step));
    links[next].focus();
    links[next].scrollIntoView({ block: "nearest" });
    return true;
  }

  /** Pick or leave a row. */
  pick(alertId, on) {
    if (this.picked.has(alertId) === on) return;
    if (on) this.picked.add(alertId);
    else this.picked.delete(alertId);
    const entry = this.#rows.get(alertId);
    if (entry) {
      entry.box.checked = on;
      entry.li.classList.toggle("picked", on);
    }
    this.onPick?.([...this.picked]);
  }

  /** Pick or leave the row that has the focus. */
  pickFocused() {
    const alertId = document.activeElement?.closest("li[data-alert]")?.dataset.alert;
    if (!alertId || !this.#rows.has(alertId)) return false;
    this.pick(alertId, !this.picked.has(alertId));
    return true;
  }

  edge(last) {
    const link = this.#links().at(last ? -1 : 0);
    link?.focus();
    return Boolean(link);
  }

  focus(alertId) {
    this.#rows.get(alertId)?.link.focus();
  }
}

/** The keys every page with a list has. */
export function listKeys(list) {
  return [
    { keys: ["j", "ArrowDown"], label: "Next alert", run: () => list.move(1) },
    { keys: ["k", "ArrowUp"], label: "Previous alert", run: () => list.move(-1) },
    { keys: ["Home"], label: "First alert", run: () => list.edge(false) },
    { keys: ["End"], label: "Last alert", run: () => list.edge(true) },
    { keys: ["Enter"], label: "Open the alert", run: () => list.move(0) && document.activeElement.click() },
  ];
}
