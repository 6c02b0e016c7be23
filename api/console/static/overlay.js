// Law: track boxes over the clip. `boxesAt` is pure; Boxes draws what it says. Nothing is drawn where no picture was analysed.

import { svg } from "./dom.js";
import { placeBox, surface } from "./zones.js";

const FAR_S = 1; // farther than this from an analysed picture, no box is claimed

function lastAtOrBefore(frames, t) {
  let low = 0;
  let high = frames.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (frames[mid].t <= t) low = mid + 1;
    else high = mid;
  }
  return low - 1;
}

/** The analysed pictures around stream second t that are near enough to say anything (else null), and how far t is from one to the other. */
export function around(frames, t) {
  const i = lastAtOrBefore(frames, t);
  const before = i >= 0 && t - frames[i].t <= FAR_S ? frames[i] : null;
  const after = i + 1 < frames.length && frames[i + 1].t - t <= FAR_S ? frames[i + 1] : null;
  if (!before || !after) return [before, after, before ? 0 : 1];
  return [before, after, (t - before.t) / (after.t - before.t)];
}

/**
 * The boxes at stream second t: Map track id -> [x0, y0, x1, y1] px. Between two analysed pictures a track in both is moved in a
 * straight line; a track in one of them is shown on its own half of the way.
 */
export function boxesAt(frames, t) {
  const [before, after, share] = around(frames, t);
  if (!before && !after) return new Map();
  if (!before || !after) return new Map((before ?? after).boxes.map(([id, ...box]) => [id, box]));
  const there = new Map(after.boxes.map(([id, ...box]) => [id, box]));
  const out = new Map();
  for (const [id, ...box] of before.boxes) {
    const goal = there.get(id);
    if (goal) out.set(id, box.map((x, k) => x + (goal[k] - x) * share));
    else if (share < 0.5) out.set(id, box);
    there.delete(id);
  }
  if (share >= 0.5) for (const [id, box] of there) out.set(id, box);
  return out;
}

export class Boxes {
  #doc;
  #members;
  #shapes = new Map(); // track id -> {group, rect, text}
  #text_px = 14;

  /** `doc`: OverlayDoc; `members`: track ids of the alert. */
  constructor(doc, members) {
    this.#doc = doc;
    this.#members = new Set(members);
    this.node = surface(doc.width, doc.height, "boxes");
  }

  /** Tell how many picture pixels one screen pixel is, so that ids stay readable. */
  scale(perScreenPx) {
    this.#text_px = 13 * perScreenPx;
    for (const { text } of this.#shapes.values()) text.setAttribute("font-size", this.#text_px);
  }

  draw(t) {
    const now = boxesAt(this.#doc.frames, t);
    for (const [id, { group }] of this.#shapes) {
      if (now.has(id)) continue;
      group.remove();
      this.#shapes.delete(id);
    }
    for (const [id, box] of now) {
      const { rect, text } = this.#shape(id);
      placeBox(rect, box);
      text.setAttribute("x", box[0] + this.#text_px * 0.25);
      text.setAttribute("y", Math.max(this.#text_px, box[1] - this.#text_px * 0.35));
    }
    return now.size;
  }

  #shape(id) {
    let shape = this.#shapes.get(id);
    if (!shape) {
      const rect = svg("rect", { class: "box", rx: 1 });
      const text = svg("text", { class: "box-id", text: String(id), "font-size": this.#text_px });
      const group = svg("g", { class: this.#members.has(id) ? "track track-member" : "track", "data-track": id }, rect, text);
      shape = { rect, text, group };
      this.#shapes.set(id, shape);
      if (this.#members.has(id)) this.node.append(group);
      else this.node.prepend(group);
    }
    return shape;
  }
}
