// Law: zones, lines and boxes drawn over a picture, in SVG over the picture's own pixel grid; names beside them as HTML text.

import { h, svg } from "./dom.js";

/** A drawing surface of width x height picture pixels that fills its parent. */
export function surface(width, height, name) {
  return svg("svg", { class: `surface ${name}`, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
}

/** A zone's area; of a line (two corners) the line, with a head at its second point, since its direction counts. */
export function zoneShape({ polygon }, width, height) {
  if (polygon.length === 2) return svg("path", { class: "zone zone-line", d: arrow(polygon.map(([x, y]) => [x * width, y * height])) });
  return svg("polygon", { class: "zone", points: polygon.map(([x, y]) => `${x * width},${y * height}`).join(" ") });
}

function arrow([[x0, y0], [x1, y1]]) {
  const size = Math.hypot(x1 - x0, y1 - y0) * 0.08;
  const angle = Math.atan2(y1 - y0, x1 - x0);
  const barb = (turn) => `${x1 - size * Math.cos(angle + turn)} ${y1 - size * Math.sin(angle + turn)}`;
  return `M${x0} ${y0}L${x1} ${y1}M${barb(0.5)}L${x1} ${y1}L${barb(-0.5)}`;
}

/** A zone's name under its corner nearest to the bottom left, or over it at the edge: ids of tracks stand over people's heads. */
export function zoneLabel({ name, polygon }) {
  const [x, y] = polygon.reduce((best, corner) => (corner[1] - corner[0] > best[1] - best[0] ? corner : best));
  const label = h("span", { class: "zone-name", text: name, title: name });
  label.style.left = `${Math.min(x, 0.8) * 100}%`;
  label.style.top = `${y * 100}%`;
  label.classList.toggle("zone-name-over", y > 0.9);
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
