// Law: the controls under a clip: buttons, speed, switches, and the bar with the marks of the alert. It holds no video.

import { h, icon, put } from "./dom.js";
import { position } from "./format.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4];
const MARK_WORDS = { started: "Started", opened: "Alert" };

function button(name, label, key, run) {
  return h("button", { class: "button icon-button", type: "button", "aria-label": label, title: `${label} (${key})`, onclick: run }, icon(name));
}

export class Transport {
  #does;
  #bar = h("input", { type: "range", class: "scrub", min: 0, max: 0, step: 0.01, value: 0, "aria-label": "Position in the clip" });
  #marks = h("div", { class: "scrub-marks", "aria-hidden": "true" });
  #time = h("span", { class: "clip-time" });
  #play;
  #speed = h("select", { class: "speed", "aria-label": "Speed", title: "Speed (- and +)" }, SPEEDS.map((s) => h("option", { value: s, text: `${s}×`, selected: s === 1 })));
  #switches = {};
  #length = 0;

  /** `does`: {toggle, step, seek, speed, boxes, skeletons, zone}. */
  constructor(does) {
    this.#does = does;
    this.#play = button("play", "Play", "space", does.toggle);
    this.#bar.addEventListener("input", () => does.seek(Number(this.#bar.value)));
    this.#speed.addEventListener("change", () => does.speed(Number(this.#speed.value)));
    const switches = [this.#switch("boxes", "Boxes", "b"), this.#switch("skeletons", "Skeletons", "k"), this.#switch("zone", "Zone", "z")];
    const buttons = [button("back", "One picture back", ",", () => does.step(-1)), this.#play, button("forward", "One picture on", ".", () => does.step(1))];
    this.node = h("div", { class: "transport" }, h("div", { class: "scrub-line" }, this.#marks, this.#bar), h("div", { class: "transport-line" }, buttons, this.#time, this.#speed, h("span", { class: "spacer" }), switches));
    this.length(0);
  }

  #switch(name, words, key) {
    const input = h("input", { type: "checkbox", checked: true });
    input.addEventListener("change", () => this.#does[name](input.checked));
    this.#switches[name] = input;
    return h("label", { class: "switch", title: `${words} on or off (${key})` }, input, h("span", { text: words }));
  }

  offer(name, there) {
    this.#switches[name].disabled = !there;
  }

  flip(name) {
    const input = this.#switches[name];
    if (input.disabled) return false;
    input.click();
    return true;
  }

  /** Step through the speeds. */
  faster(step) {
    const at = SPEEDS.indexOf(Number(this.#speed.value)) + step;
    if (at < 0 || at >= SPEEDS.length || this.#speed.disabled) return false;
    this.#speed.value = SPEEDS[at];
    this.#does.speed(SPEEDS[at]);
    return true;
  }

  /** Length of the clip in seconds; 0: there is none. */
  length(s) {
    this.#length = s;
    this.#bar.max = s;
    for (const control of this.node.querySelectorAll("button, .scrub, .speed")) control.disabled = s <= 0;
    this.node.classList.toggle("transport-off", s <= 0);
    if (s <= 0) this.marks([]);
    this.#place();
    this.now(Number(this.#bar.value));
  }

  #list = [];

  /** [{v, name}]: moments of the clip, in its seconds. */
  marks(list) {
    this.#list = list;
    this.#place();
  }

  #place() {
    const inside = this.#list.filter(({ v }) => v >= 0 && v <= this.#length);
    put(
      this.#marks,
      inside.map(({ v, name }) => {
        const mark = h("span", { class: `mark-${name}` }, h("span", { text: MARK_WORDS[name] }));
        mark.style.left = `${(v / this.#length) * 100}%`;
        mark.classList.toggle("mark-late", v / this.#length > 0.85);
        return mark;
      }),
    );
  }

  now(v) {
    this.#bar.value = v;
    const text = this.#length > 0 ? `${position(v)} / ${position(this.#length)}` : "–:–";
    this.#time.textContent = text;
    this.#bar.setAttribute("aria-valuetext", text);
    this.#bar.style.setProperty("--done", this.#length > 0 ? `${(v / this.#length) * 100}%` : "0%");
  }

  playing(yes) {
    put(this.#play, icon(yes ? "pause" : "play"));
    this.#play.setAttribute("aria-label", yes ? "Pause" : "Play");
  }
}
