// Law: zones and boxes drawn over a picture, in SVG over the picture's own pixel grid; names beside them as HTML text.

import { h, svg } from "./dom.js";

/** A drawing surface of width x height picture pixels that fills its parent. */
export function surface(width, height, name) {
  return svg("svg", { class: `surface ${name}`, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
}

export function zoneShape({ polygon }, width, height) {
  return svg("polygon", { class: "zone", points: polygon.map(([x, y]) => `${x * width},${y * height}`).join(" ") });
}

/** A zone's name at its corner nearest to the top left. */
export function zoneLabel({ name, polygon }) {
  const [x, y] = polygon.reduce((best, corner) => (corner[0] + corner[1] < best[0] + best[1] ? corner : best));
  const label = h("span", { class: "zone-name", text: name, title: name });
  label.style.left = `${Math.min(x, 0.85) * 100}%`;
  label.style.top = `${Math.min(y, 0.94) * 100}%`;
  return label;
}

/** "x0 y0 x1 y1" px as a rectangle. */
export function placeBox(rect, [x0, y0, x1, y1]) {
  rect.setAttribute("x", x0);
  rect.setAttribute("y", y0);
  rect.setAttribute("width", Math.max(0, x1 - x0));
  rect.setAttribute("height", Math.max(0, y1 - y0));
  return rect;
}
