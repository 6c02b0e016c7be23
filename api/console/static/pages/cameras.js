// Law: every camera with its state and what is looked at there; the way to where that is changed.

import { pictureUrl } from "../api.js";
import { emptyState, stateDot } from "../badges.js";
import { h, icon, put } from "../dom.js";
import { percent } from "../format.js";
import { placeWords, ruleWords } from "../words.js";

export const cameraHash = (cameraId) => `#/cameras/${encodeURIComponent(cameraId)}`;

function picture(camera) {
  if (!camera.picture_at) return h("span", { class: "thumb thumb-none" }, icon("camera"), h("span", { text: "No picture yet" }));
  return h("img", { class: "thumb", src: pictureUrl(camera.camera_id, camera.picture_at), alt: "", loading: "lazy" });
}

function places(camera) {
  const n = (count, one, many) => (count ? `${count} ${count === 1 ? one : many}` : null);
  const lines = camera.zones.filter((zone) => zone.polygon.length === 2).length;
  return [n(camera.zones.length - lines, "zone", "zones"), n(lines, "line", "lines")].filter(Boolean).join(", ") || "no zones";
}

function row(camera) {
  const rules = camera.rules.map((rule) => h("li", {}, h("span", { text: ruleWords(rule) }), h("span", { class: "muted", text: placeWords(rule) })));
  return h(
    "li",
    { "data-camera": camera.camera_id },
    h(
      "a",
      { class: "camera-row", href: cameraHash(camera.camera_id) },
      picture(camera),
      h("span", { class: "row-main" }, h("span", { class: "row-head" }, h("span", { class: "row-rule", text: camera.name }), stateDot(camera.state), h("span", { class: "muted", text: `${percent(camera.coverage)} covered` })), camera.reason ? h("span", { class: "trouble", text: camera.reason }) : null, h("ul", { class: "tile-rules" }, rules.length ? rules : h("li", { class: "muted", text: "No rule is in force: nothing will alert here." })), h("span", { class: "muted", text: `${camera.camera_id} · ${places(camera)} · ${camera.width ? `${camera.width} × ${camera.height}` : "size not known yet"} · ${camera.timezone}` })),
    ),
  );
}

export function camerasPage({ store, me }) {
  const list = h("ul", { class: "camera-list" });
  const body = h("div");
  const show = () => {
    const cameras = [...store.cameras.values()].filter((one) => one.state !== "removed").sort((a, b) => a.name.localeCompare(b.name));
    const had = document.activeElement?.closest?.(".camera-list li")?.dataset.camera;
    put(list, cameras.map(row));
    if (had) list.querySelector(`[data-camera="${CSS.escape(had)}"] a`)?.focus();
    put(body, cameras.length ? h("section", { class: "panel", "aria-label": "Cameras" }, list) : emptyState("No cameras yet", "A camera appears here as soon as a worker that watches it reports to this service."));
  };
  const words = me.role === "admin" ? "Choose a camera to draw its zones, lines and masks and to set its rules." : "Choose a camera to see its zones, lines, masks and rules. Administrators change them.";
  store.addEventListener("cameras", show);
  show();
  return { node: h("main", { class: "page", id: "main" }, h("h1", { text: "Cameras" }), h("p", { class: "muted", text: words }), body), end: () => store.removeEventListener("cameras", show) };
}
