// Law: what the console knows of alerts and cameras: read once, then kept true by the feed. Older news never replaces newer.

import { api } from "./api.js";

const PAGE = 50;
const KEPT = 1000; // alerts in memory; a feed left open for a week must not grow

/**
 * Events: "alerts" (detail: Map of what changed, id -> AlertOut), "cameras", "fresh" (detail: an AlertOut that was not known and came by the feed),
 * "loaded" (first page is here), "failed" (detail: ApiError).
 */
export class Store extends EventTarget {
  alerts = new Map();
  cameras = new Map();
  fresh = new Set(); // ids that arrived while this page was open
  loaded = false;
  error = null;
  next = null; // cursor of the next older page
  #openedAt = 0; // ms, on the service's clock: the newest change that was there when this page was opened

  constructor(feed) {
    super();
    feed.addEventListener("alert", (e) => this.take([e.detail], true));
    feed.addEventListener("camera", (e) => this.#takeCameras([e.detail]));
    feed.addEventListener("ready", (e) => this.refresh(e.detail.resumed && this.loaded));
    feed.addEventListener("reload", () => this.refresh(false));
  }

  /** Read the newest alerts (unless only the cameras are asked for) and all cameras. */
  async refresh(camerasOnly) {
    try {
      const [page, cameras] = await Promise.all([camerasOnly ? null : api.alerts({ limit: PAGE }), api.cameras()]);
      this.#takeCameras(cameras);
      if (page) this.#first(page);
      this.error = null;
    } catch (error) {
      this.error = error;
      this.#say("failed", error);
    }
  }

  #first(page) {
    const known = this.alerts;
    const again = this.loaded;
    this.alerts = new Map();
    this.next = page.next;
    this.loaded = true;
    if (!again) this.#openedAt = Math.max(0, ...page.items.map((a) => Date.parse(a.received_at)));
    this.take(page.items, false);
    // What the feed told while this page was on its way is newer than the page.
    const newest = Math.max(0, ...page.items.map((a) => Date.parse(a.updated_at)));
    const since = (a) => Date.parse(a.updated_at) > (this.alerts.has(a.alert_id) ? Date.parse(this.alerts.get(a.alert_id).updated_at) : newest);
    this.take([...known.values()].filter(since), false);
    for (const item of page.items) if (!known.has(item.alert_id)) this.#point(item);
    this.#say("loaded");
  }

  /** Point out an alert that came while the page was open. */
  #point(item) {
    if (Date.parse(item.received_at) <= this.#openedAt) return;
    this.fresh.add(item.alert_id);
    this.#say("fresh", item);
  }

  async refreshCameras() {
    try {
      this.#takeCameras(await api.cameras());
    } catch (error) {
      this.#say("failed", error); // the tiles keep what they show, with its age
    }
  }

  /** The next older page. */
  async older() {
    const page = await api.alerts({ limit: PAGE, cursor: this.next });
    this.next = page.next;
    this.take(page.items, false);
  }

  /** Take alerts from anywhere; `live` marks those that the service received since this page was opened as fresh. */
  take(items, live) {
    const changed = new Map();
    for (const item of items) {
      const known = this.alerts.get(item.alert_id);
      if (known && newer(known, item)) continue;
      changed.set(item.alert_id, item);
      if (item.suppressed) {
        this.alerts.delete(item.alert_id); // its page and the list of suppressed ones are told; nobody is called
        continue;
      }
      if (known || !live || !this.#beyond(item)) this.alerts.set(item.alert_id, item);
      if (!known && live) this.#point(item);
    }
    this.#bound();
    if (changed.size) this.#say("alerts", changed);
  }

  /** Older than what has been read: it belongs to a page that is not here yet. */
  #beyond(item) {
    return this.next !== null && ![...this.alerts.values()].some((a) => newestFirst(a, item) > 0);
  }

  #bound() {
    if (this.alerts.size <= KEPT) return;
    const oldest = [...this.alerts.values()].sort(newestFirst).slice(KEPT);
    for (const { alert_id } of oldest) {
      this.alerts.delete(alert_id);
      this.fresh.delete(alert_id);
    }
  }

  #takeCameras(items) {
    for (const item of items) this.cameras.set(item.camera_id, item);
    this.#say("cameras");
  }

  #say(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function newer(a, b) {
  return a.revision > b.revision || (a.revision === b.revision && Date.parse(a.updated_at) > Date.parse(b.updated_at));
}

/** Order of the feed, and of the service's pages: newest arrival first. */
export function newestFirst(a, b) {
  return Date.parse(b.received_at) - Date.parse(a.received_at) || (a.alert_id < b.alert_id ? 1 : -1);
}
