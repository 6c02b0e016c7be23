// Law: skeletons of close pairs over the clip. `skeletonsAt` is pure; Skeletons draws what it says. A joint that was not seen is not drawn.

import { around } from "./overlay.js";
import { svg } from "./dom.js";
import { surface } from "./zones.js";

const LEAST = 0.3; // confidence below which a joint counts as not seen, as in the rule
const WRISTS = [9, 10];
// joints of a COCO skeleton that are joined
const BONES = [
  [5, 7], [7, 9], [6, 8], [8, 10], [5, 6], [5, 11], [6, 12], [11, 12], [11, 13], [13, 15], [12, 14], [14, 16], [0, 5], [0, 6],
];

/** [x, y] of each of 17 joints, null where it was not seen. */
function joints(flat) {
  return Array.from({ length: 17 }, (_, i) => (flat[3 * i + 2] >= LEAST ? [flat[3 * i], flat[3 * i + 1]] : null));
}

const spot = (point) => point.map((x) => x.toFixed(1)).join(" ");
const known = (frame) => new Map((frame?.skeletons ?? []).map(([id, flat]) => [id, joints(flat)]));

/**
 * The skeletons at stream second t: Map track id -> 17 x ([x, y] px | null). Between two analysed pictures a joint seen in both is
 * moved in a straight line; one seen in one of them is shown on its own half of the way.
 */
export function skeletonsAt(frames, t) {
  const [before, after, share] = around(frames, t);
  const [first, second] = [known(before), known(after)];
  const out = new Map();
  for (const id of new Set([...first.keys(), ...second.keys()])) {
    const [a, b] = [first.get(id) ?? [], second.get(id) ?? []];
    const shown = Array.from({ length: 17 }, (_, i) => {
      if (a[i] && b[i]) return a[i].map((x, k) => x + (b[i][k] - x) * share);
      return (share < 0.5 ? a[i] : b[i]) ?? null;
    });
    if (shown.some(Boolean)) out.set(id, shown);
  }
  return out;
}

/** Whether there is anything to draw. */
export const hasSkeletons = (doc) => doc.frames.some((frame) => frame.skeletons?.length);

export class Skeletons {
  #doc;
  #members;
  #shapes = new Map(); // track id -> {group, bones, hands}
  #radius = 4;

  /** `doc`: OverlayDoc; `members`: track ids of the alert. */
  constructor(doc, members) {
    this.#doc = doc;
    this.#members = new Set(members);
    this.node = surface(doc.width, doc.height, "skeletons");
  }

  /** Tell how many picture pixels one screen pixel is, so that hands stay visible. */
  scale(perScreenPx) {
    this.#radius = 4 * perScreenPx;
  }

  draw(t) {
    const now = skeletonsAt(this.#doc.frames, t);
    for (const [id, { group }] of this.#shapes) {
      if (now.has(id)) continue;
      group.remove();
      this.#shapes.delete(id);
    }
    for (const [id, points] of now) {
      const { bones, hands } = this.#shape(id);
      bones.setAttribute("d", BONES.filter(([a, b]) => points[a] && points[b]).map(([a, b]) => `M${spot(points[a])}L${spot(points[b])}`).join(""));
      hands.replaceChildren(...WRISTS.filter((i) => points[i]).map((i) => svg("circle", { class: "hand", cx: points[i][0], cy: points[i][1], r: this.#radius })));
    }
  }

  #shape(id) {
    let shape = this.#shapes.get(id);
    if (!shape) {
      const bones = svg("path", { class: "bones" });
      const hands = svg("g", {});
      shape = { bones, hands, group: svg("g", { class: this.#members.has(id) ? "skeleton skeleton-member" : "skeleton", "data-track": id }, bones, hands) };
      this.#shapes.set(id, shape);
      this.node.append(shape.group);
    }
    return shape;
  }
}
