// Law: one camera as a tile: its newest picture with zones and lines over it, and in words whether it is really being watched.

import { pictureUrl } from "./api.js";
import { stateDot } from "./badges.js";
import { h, icon, put } from "./dom.js";
import { age, percent } from "./format.js";
import { reviewHash } from "./router.js";
import { placeWords, ruleWords } from "./words.js";
import { surface, zoneLabel, zoneShape } from "./zones.js";

const OLD_PICTURE_MS = 30_000;
const POOR_COVERAGE = 0.9;

export class CameraTile {
  #img = h("img", { class: "tile-picture", alt: "", hidden: true });
  #notice = h("div", { class: "tile-notice" });
  #zones = h("div", { class: "tile-zones" });
  #head = h("div", { class: "tile-head" });
  #rules = h("ul", { class: "tile-rules" });
  #coverage = h("p", { class: "tile-coverage", title: "Seconds that were analysed, of the seconds that passed" });
  #ongoing = h("a", { class: "chip tile-ongoing", hidden: true });
  #stage = h("div", { class: "tile-stage" }, this.#img, this.#zones, this.#notice, this.#ongoing);
  #shown = {};

  constructor() {
    this.node = h("article", { class: "tile" }, this.#stage, h("div", { class: "tile-body" }, this.#head, h("div", { class: "tile-line" }, this.#rules, this.#coverage)));
    this.#img.addEventListener("load", () => (this.#img.hidden = false));
    this.#img.addEventListener("error", () => (this.#img.hidden = true));
  }

  /** Show a CameraOut; `ongoing` is how many of its alerts have not ended. */
  show(camera, ongoing) {
    this.node.setAttribute("aria-label", camera.name);
    this.node.dataset.camera = camera.camera_id;
    this.node.classList.toggle("tile-alerting", ongoing > 0);
    this.node.classList.toggle("tile-unseen", camera.state !== "online");
    if (camera.width) this.#stage.style.aspectRatio = `${camera.width} / ${camera.height}`;
    this.#picture(camera);
    this.#once("zones", [camera.zones, camera.width, camera.height], () => this.#drawZones(camera));
    this.#once("rules", camera.rules, () => this.#listRules(camera));
    const people = camera.n_people === 1 ? "1 person" : `${camera.n_people} people`;
    put(this.#head, h("h3", { text: camera.name, title: camera.camera_id }), stateDot(camera.state), camera.state === "online" ? h("span", { class: "tile-people", text: people }) : null);
    this.#coverage.textContent = `${percent(camera.coverage)} covered`;
    this.#coverage.classList.toggle("tile-coverage-poor", camera.coverage < POOR_COVERAGE);
    this.#ongoing.hidden = ongoing === 0;
    this.#ongoing.textContent = ongoing === 1 ? "Ongoing alert" : `${ongoing} ongoing alerts`;
    this.#ongoing.href = reviewHash({ camera_id: camera.camera_id, phase: "ongoing", verdict: "any" });
    put(this.#notice, ...this.#notices(camera));
  }

  #once(part, value, draw) {
    const text = JSON.stringify(value);
    if (this.#shown[part] === text) return;
    this.#shown[part] = text;
    draw();
  }

  #picture(camera) {
    if (!camera.picture_at || this.#shown.picture === camera.picture_at) return;
    this.#shown.picture = camera.picture_at;
    this.#img.src = pictureUrl(camera.camera_id, camera.picture_at);
    this.#img.alt = `Latest picture of ${camera.name}`;
  }

  #drawZones({ zones, width, height }) {
    const shapes = surface(width || 16, height || 9, "zones");
    shapes.append(...zones.map((zone) => zoneShape(zone, width || 16, height || 9)));
    put(this.#zones, shapes, ...zones.map(zoneLabel));
  }

  #listRules({ rules }) {
    if (!rules.length) return put(this.#rules, h("li", { class: "muted", text: "No rule is in force: nothing will alert here." }));
    return put(
      this.#rules,
      ...rules.map((rule) => h("li", {}, h("span", { text: ruleWords(rule) }), h("span", { class: "muted", text: placeWords(rule) }))),
    );
  }

  #notices(camera) {
    const out = [];
    if (!camera.picture_at) out.push(h("p", { class: "tile-message" }, icon("camera"), "No picture yet"));
    if (camera.reason) out.push(h("p", { class: "tile-message", text: camera.reason }));
    if (camera.state === "online" && camera.picture_at && Date.now() - Date.parse(camera.picture_at) > OLD_PICTURE_MS) {
      out.push(h("p", { class: "tile-message" }, "Old picture: ", age(camera.picture_at, camera.timezone)));
    }
    return out;
  }
}
