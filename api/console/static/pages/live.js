// Law: what is happening now: every camera with its state, and the feed of alerts beside it, newest first, without reload.

import { AlertList, listKeys } from "../alert_list.js";
import { emptyState, failure, loading } from "../badges.js";
import { CameraTile } from "../camera_tile.js";
import { h, put } from "../dom.js";
import { useKeys } from "../keys.js";
import { newestFirst } from "../store.js";

const CAMERAS_EVERY_MS = 3000; // pictures, counts and coverage change without a message in the feed

/** A choice of this browser: {box, label}; what it does not allow is said. */
function callSwitch(caller, which, words, said) {
  const box = h("input", { type: "checkbox", checked: caller.on(which) });
  box.addEventListener("change", async () => {
    said.textContent = await caller.choose(which, box.checked);
    box.checked = caller.on(which);
  });
  return h("label", { class: "check" }, box, words);
}

export function livePage({ store, caller }) {
  const list = new AlertList("Alerts, newest first", (id) => store.cameras.get(id)?.timezone);
  const tiles = new Map();
  const grid = h("div", { class: "tiles" });
  const feedBody = h("div", { class: "panel-body" });
  const count = h("span", { class: "count" });
  const older = h("button", { class: "button quiet older", type: "button", text: "Load older alerts" });
  const said = h("p", { class: "muted", role: "status" });
  const calls = h("div", { class: "calls", role: "group", "aria-label": "When an alert comes" }, callSwitch(caller, "sound", "Sound", said), callSwitch(caller, "notice", "Desktop notification", said), said);
  const cameraCount = h("span", { class: "count" });

  older.addEventListener("click", async () => {
    older.disabled = true;
    try {
      await store.older();
    } catch (error) {
      put(feedBody, list.node, older, failure(error.message));
    }
    older.disabled = false;
  });

  function showAlerts() {
    const alerts = [...store.alerts.values()].sort(newestFirst);
    const waiting = alerts.filter((a) => !a.verdict).length;
    count.textContent = alerts.length ? `${waiting} without a verdict` : "";
    if (alerts.length) {
      list.show(alerts, store.fresh);
      older.hidden = !store.next;
      if (list.node.parentNode !== feedBody) put(feedBody, list.node, older);
    } else if (store.error) put(feedBody, failure(store.error.message));
    else if (!store.loaded) put(feedBody, loading("Reading alerts …"));
    else put(feedBody, emptyState("No alerts yet", "When a rule on one of your cameras fires, the alert appears here by itself."));
  }

  function showCameras() {
    const cameras = [...store.cameras.values()].filter((c) => c.state !== "removed").sort((a, b) => a.name.localeCompare(b.name));
    const online = cameras.filter((c) => c.state === "online").length;
    cameraCount.textContent = cameras.length ? `${online} of ${cameras.length} online` : "";
    for (const [id, tile] of tiles) {
      if (store.cameras.get(id)?.state !== "removed") continue;
      tile.node.remove();
      tiles.delete(id);
    }
    if (!cameras.length) {
      if (store.loaded) put(grid, emptyState("No cameras yet", "A camera appears here as soon as a worker that watches it reports to this service."));
      else if (!store.error) put(grid, loading("Reading cameras …"));
      return;
    }
    const ongoing = new Map();
    for (const a of store.alerts.values()) if (a.phase !== "closed") ongoing.set(a.camera_id, (ongoing.get(a.camera_id) ?? 0) + 1);
    grid.classList.toggle("tiles-one", cameras.length === 1);
    if (!tiles.size) put(grid);
    for (const camera of cameras) {
      if (!tiles.has(camera.camera_id)) {
        tiles.set(camera.camera_id, new CameraTile());
        grid.append(tiles.get(camera.camera_id).node);
      }
      tiles.get(camera.camera_id).show(camera, ongoing.get(camera.camera_id) ?? 0);
    }
  }

  const onAlerts = () => {
    showAlerts();
    showCameras();
  };
  const watched = { alerts: onAlerts, loaded: onAlerts, failed: onAlerts, cameras: showCameras };
  for (const [name, f] of Object.entries(watched)) store.addEventListener(name, f);
  const poll = setInterval(() => document.hidden || store.refreshCameras(), CAMERAS_EVERY_MS);
  const dropKeys = useKeys("Live", listKeys(list));
  onAlerts();

  const node = h(
    "main",
    { class: "live", id: "main" },
    h("section", { class: "cameras", "aria-labelledby": "cameras-title" }, h("header", { class: "section-head" }, h("h1", { id: "cameras-title", text: "Cameras" }), cameraCount), grid),
    h("section", { class: "panel feed", "aria-labelledby": "feed-title" }, h("header", { class: "section-head" }, h("h2", { id: "feed-title", text: "Alerts" }), count), calls, feedBody),
  );
  return {
    node,
    end() {
      clearInterval(poll);
      dropKeys();
      for (const [name, f] of Object.entries(watched)) store.removeEventListener(name, f);
    },
  };
}
