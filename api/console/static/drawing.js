// Law: places drawn on a camera's picture, by mouse and by keyboard alike. Changes go to the draft; what is shown is always the draft.

import { announce, h, put, svg } from "./dom.js";
import { placeBox, zoneShape } from "./zones.js";

const STEP = 0.005; // of the picture: one press of an arrow
const FAR = 10; // times that, with Shift
const NEAR_PX = 12; // a click so near to the first corner closes the ring
const DIGITS = 4;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ONE = { zones: "zone", lines: "line", masks: "mask" };
const MOST = { zones: 64, masks: 64, lines: 2 };

const clamp = (x) => Number(Math.min(1, Math.max(0, x)).toFixed(DIGITS));
const cornersOf = (place) => place.polygon ?? place.points;
const whole = (x) => `${Math.round(x * 100)} %`;

/** The name of a new place: the first number that is free. */
function freeName(kind, value) {
  const names = new Set(["zones", "lines", "masks"].flatMap((k) => value[k].map((one) => one.name)));
  let n = 1;
  while (names.has(`${ONE[kind]} ${n}`)) n += 1;
  return `${ONE[kind]} ${n}`;
}

/** Events: "select" (detail: {kind, index} or null), "mode". */
export class Drawing extends EventTarget {
  #img = h("img", { class: "stage-picture", alt: "" });
  #surface;
  #labels = h("div", { class: "tile-zones" });
  #hint = h("p", { class: "draw-hint", role: "status", hidden: true });
  #drawn = null; // {kind, corners} while a new place is drawn
  #cross = [0.5, 0.5]; // the keyboard's place while drawing
  #keyed = false; // whether it has been used
  #drag = null; // {kind, index, corner} or {kind, index, from}
  #bad = new Set(); // "kind-index"
  #showing = false; // what had the focus gets it back: nobody moved it

  constructor(draft, { width, height, name, editable }) {
    super();
    this.draft = draft;
    this.selected = null;
    this.editable = editable;
    [this.width, this.height] = width ? [width, height] : [1600, 900];
    this.#surface = svg("svg", { class: "surface drawing", viewBox: `0 0 ${this.width} ${this.height}`, preserveAspectRatio: "none", tabindex: 0, role: "application", "aria-label": `Picture of ${name} with its zones, lines and masks` });
    this.stage = h("div", { class: "draw-stage" }, this.#img, this.#labels, this.#surface);
    this.stage.style.setProperty("--ratio", this.width / this.height);
    this.node = h("div", { class: "draw" }, this.#hint, this.stage);
    if (editable) this.#listen();
    this.show();
  }

  /** The picture under the drawing. */
  picture(url) {
    this.#img.src = url;
  }

  /** Which places are wrong: [{kind, index}]. */
  mark(problems) {
    this.#bad = new Set(problems.map((p) => `${p.kind}-${p.index}`));
    this.show();
  }

  select(place) {
    this.selected = place;
    this.draft.settle();
    this.show();
    this.dispatchEvent(new CustomEvent("select", { detail: place }));
  }

  get drawing() {
    return this.#drawn?.kind ?? null;
  }

  // ------------------------------------------------------------ a new place

  begin(kind) {
    this.#drawn = { kind, corners: [], over: null };
    this.#cross = [0.5, 0.5];
    this.#keyed = false;
    this.select(null);
    this.#surface.focus();
    this.#changedMode(kind === "lines" ? "Line: click its two points. Keyboard: arrows, Space puts a point, Esc gives up." : `${kind === "masks" ? "Mask" : "Zone"}: click corner after corner, the first one again to close. Keyboard: arrows, Space puts a corner, Enter closes, Backspace takes one back, Esc gives up.`);
  }

  cancel() {
    if (!this.#drawn) return false;
    this.#drawn = null;
    this.#changedMode("");
    return true;
  }

  #changedMode(hint) {
    this.#hint.hidden = !hint;
    this.#hint.textContent = hint;
    this.node.classList.toggle("is-drawing", this.#drawn !== null);
    this.show();
    this.dispatchEvent(new CustomEvent("mode"));
  }

  #putCorner(corner) {
    const { kind, corners } = this.#drawn;
    const spot = corner.map(clamp);
    const last = corners.at(-1);
    if (last && last[0] === spot[0] && last[1] === spot[1]) return;
    corners.push(spot);
    announce(`${kind === "lines" ? "Point" : "Corner"} ${corners.length} put`);
    if (corners.length === MOST[kind]) this.finish();
    else this.show();
  }

  finish() {
    const { kind, corners } = this.#drawn;
    if (corners.length < (kind === "lines" ? 2 : 3)) return announce("Not enough corners yet");
    const index = this.draft.value[kind].length;
    const name = freeName(kind, this.draft.value);
    this.#drawn = null;
    this.draft.change((value) => value[kind].push(kind === "lines" ? { name, points: corners } : { name, polygon: corners }));
    this.select({ kind, index });
    this.#changedMode("");
    this.#focusCorner(0);
    return announce(`${name} drawn`);
  }

  // ------------------------------------------------------------ mouse

  #spot(event) {
    const box = this.#surface.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  #listen() {
    const on = (name, f) => this.#surface.addEventListener(name, f);
    on("pointerdown", (event) => event.button === 0 && this.#down(event));
    on("pointermove", (event) => this.#move(event));
    on("pointerup", () => this.#up());
    on("pointercancel", () => this.#up());
    on("keydown", (event) => this.#key(event));
    on("focusin", (event) => this.#focused(event.target));
  }

  #down(event) {
    const spot = this.#spot(event);
    if (this.#drawn) return this.#clickWhileDrawing(spot, event);
    const { corner, middle, kind, index } = event.target.dataset;
    if (kind === undefined) return this.select(null);
    const place = { kind, index: Number(index) };
    if (corner !== undefined) this.#drag = { ...place, corner: Number(corner) };
    else if (middle !== undefined) {
      this.#drag = { ...place, corner: Number(middle) + 1 };
      this.draft.change((value) => cornersOf(value[kind][index]).splice(Number(middle) + 1, 0, spot.map(clamp)), `drag-${event.timeStamp}`);
    } else {
      if (this.selected?.kind !== kind || this.selected.index !== place.index) this.select(place);
      this.#drag = { ...place, from: spot };
    }
    this.#drag.tag = `drag-${event.timeStamp}`;
    this.#surface.setPointerCapture(event.pointerId);
    event.preventDefault();
    if (corner !== undefined) event.target.focus();
    return undefined;
  }

  #clickWhileDrawing(spot, event) {
    event.preventDefault();
    this.#surface.focus();
    const { kind, corners } = this.#drawn;
    const box = this.#surface.getBoundingClientRect();
    const near = corners.length > 2 && Math.hypot((spot[0] - corners[0][0]) * box.width, (spot[1] - corners[0][1]) * box.height) < NEAR_PX;
    if (near && kind !== "lines") return this.finish();
    return this.#putCorner(spot);
  }

  #move(event) {
    const spot = this.#spot(event);
    if (this.#drawn) {
      this.#drawn.over = spot.map(clamp);
      return this.show();
    }
    if (!this.#drag) return undefined;
    const { kind, index, corner, tag } = this.#drag;
    if (corner !== undefined) return this.draft.change((value) => void (cornersOf(value[kind][index])[corner] = spot.map(clamp)), tag);
    const shift = [spot[0] - this.#drag.from[0], spot[1] - this.#drag.from[1]];
    this.#drag.from = spot;
    return this.#shift({ kind, index }, shift, tag);
  }

  #up() {
    this.#drag = null;
    this.draft.settle();
  }

  /** Move a place, as far as the picture goes. */
  #shift({ kind, index }, shift, tag) {
    const corners = cornersOf(this.draft.value[kind][index]);
    const held = [0, 1].map((k) => {
      const all = corners.map((corner) => corner[k]);
      return Math.min(1 - Math.max(...all), Math.max(-Math.min(...all), shift[k]));
    });
    this.draft.change((value) => {
      for (const corner of cornersOf(value[kind][index])) for (const k of [0, 1]) corner[k] = clamp(corner[k] + held[k]);
    }, tag);
  }

  // ------------------------------------------------------------ keyboard

  #focused(target) {
    if (this.#showing) return;
    const { corner, kind, index } = target.dataset ?? {};
    this.draft.settle();
    if (corner === undefined && kind !== undefined && !this.#is(kind, Number(index))) this.select({ kind, index: Number(index) });
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const done = this.#drawn ? this.#keyWhileDrawing(event) : this.#keyOnCorner(event);
    if (!done) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #keyWhileDrawing({ key, shiftKey }) {
    this.#keyed = true;
    const arrow = ARROWS[key];
    if (arrow) {
      this.#cross = this.#cross.map((x, k) => clamp(x + arrow[k] * STEP * (shiftKey ? FAR : 1)));
      this.#drawn.over = this.#cross;
      this.show();
      announce(`${whole(this.#cross[0])} from the left, ${whole(this.#cross[1])} from the top`);
    } else if (key === " ") this.#putCorner(this.#cross);
    else if (key === "Enter") this.finish();
    else if (key === "Backspace") (this.#drawn.corners.pop(), this.show());
    else if (key === "Escape") this.cancel();
    else return false;
    return true;
  }

  #keyOnCorner({ key, shiftKey, target }) {
    const { corner, kind, index } = target.dataset ?? {};
    const arrow = ARROWS[key];
    if (kind === undefined) return false;
    const at = Number(corner);
    const step = STEP * (shiftKey ? FAR : 1);
    if (arrow && corner === undefined) this.#shift({ kind, index: Number(index) }, arrow.map((x) => x * step), `keys-${kind}-${index}`);
    else if (arrow) {
      this.draft.change((value) => {
        const corners = cornersOf(value[kind][index]);
        corners[at] = corners[at].map((x, k) => clamp(x + arrow[k] * step));
      }, `keys-${kind}-${index}-${at}`);
    } else if (corner !== undefined && (key === "Delete" || key === "Backspace")) this.#takeCorner(kind, Number(index), at);
    else if (corner !== undefined && (key === "Insert" || key === "+")) this.#addCorner(kind, Number(index), at);
    else return false;
    return true;
  }

  #takeCorner(kind, index, at) {
    if (kind === "lines" || cornersOf(this.draft.value[kind][index]).length <= 3) return announce("A zone keeps three corners");
    this.draft.change((value) => cornersOf(value[kind][index]).splice(at, 1));
    return this.#focusCorner(Math.max(0, at - 1));
  }

  #addCorner(kind, index, at) {
    const corners = cornersOf(this.draft.value[kind][index]);
    if (corners.length >= MOST[kind]) return announce("No more corners fit");
    const next = corners[(at + 1) % corners.length];
    this.draft.change((value) => cornersOf(value[kind][index]).splice(at + 1, 0, corners[at].map((x, k) => clamp((x + next[k]) / 2))));
    return this.#focusCorner(at + 1);
  }

  #focusCorner(at) {
    this.#surface.querySelector(`[data-corner="${at}"]`)?.focus();
  }

  // ------------------------------------------------------------ showing

  /** Draw the draft as it is now; what has the focus keeps it. */
  show() {
    const had = this.#surface.contains(document.activeElement) ? document.activeElement : null;
    const kept = had?.getAttribute("data-id");
    const { value } = this.draft;
    const shapes = ["masks", "zones", "lines"].flatMap((kind) => value[kind].map((place, index) => this.#shape(kind, index, place)));
    put(this.#surface, shapes, this.#handles(), this.#rubber());
    put(this.#labels, ["zones", "lines", "masks"].flatMap((kind) => value[kind].map((place) => this.#label(kind, place))));
    this.#showing = true;
    if (kept) (this.#surface.querySelector(`[data-id="${kept}"]`) ?? this.#surface).focus();
    this.#showing = false;
  }

  #is(kind, index) {
    return this.selected?.kind === kind && this.selected.index === index;
  }

  #shape(kind, index, place) {
    const shape = zoneShape({ polygon: cornersOf(place) }, this.width, this.height);
    for (const [key, of] of Object.entries({ kind, index, id: `${kind}-${index}` })) shape.setAttribute(`data-${key}`, of);
    shape.classList.add(`place-${kind}`);
    shape.classList.toggle("selected", this.#is(kind, index));
    shape.classList.toggle("bad", this.#bad.has(`${kind}-${index}`));
    if (this.editable) {
      shape.setAttribute("tabindex", "0");
      shape.setAttribute("role", "button");
      shape.setAttribute("aria-label", `${ONE[kind]} ${place.name}; arrows move it, Tab goes to its corners`);
    }
    return shape;
  }

  #handles() {
    if (!this.editable || !this.selected) return [];
    const { kind, index } = this.selected;
    const place = this.draft.value[kind][index];
    if (!place) return [];
    const corners = cornersOf(place);
    const data = { "data-kind": kind, "data-index": index };
    const dots = corners.map(([x, y], corner) =>
      svg("circle", { ...data, class: "corner", cx: x * this.width, cy: y * this.height, r: this.width / 85, "data-corner": corner, "data-id": `${kind}-${index}-${corner}`, tabindex: 0, role: "button", "aria-label": `Corner ${corner + 1} of ${place.name}: ${whole(x)} from the left, ${whole(y)} from the top` }),
    );
    if (kind === "lines" || corners.length >= MOST[kind]) return dots;
    const middles = corners.map(([x, y], i) => {
      const [nx, ny] = corners[(i + 1) % corners.length];
      return svg("circle", { ...data, class: "middle", cx: ((x + nx) / 2) * this.width, cy: ((y + ny) / 2) * this.height, r: this.width / 140, "data-middle": i });
    });
    return [...middles, ...dots];
  }

  #rubber() {
    if (!this.#drawn) return [];
    const { corners, over } = this.#drawn;
    const at = ([x, y]) => `${x * this.width},${y * this.height}`;
    const way = over ? [...corners, over] : corners;
    const cross = this.#cross.map((x, k) => x * [this.width, this.height][k]);
    return [
      svg("polyline", { class: "rubber", points: way.map(at).join(" ") }),
      corners.map(([x, y]) => svg("circle", { class: "corner", cx: x * this.width, cy: y * this.height, r: this.width / 110 })),
      this.#keyed ? placeBox(svg("rect", { class: "cross" }), [cross[0] - this.width / 80, cross[1] - this.width / 80, cross[0] + this.width / 80, cross[1] + this.width / 80]) : null,
    ].flat();
  }

  #label(kind, place) {
    const corners = cornersOf(place);
    const [x, y] = corners.reduce((best, corner) => (corner[1] - corner[0] > best[1] - best[0] ? corner : best));
    const label = h("span", { class: `zone-name place-name-${kind}`, text: place.name });
    label.style.left = `${Math.min(x, 0.8) * 100}%`;
    label.style.top = `${y * 100}%`;
    label.classList.toggle("zone-name-over", y > 0.9);
    return label;
  }
}
