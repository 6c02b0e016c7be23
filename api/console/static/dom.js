// Law: the only file that creates elements. Data becomes text nodes and attributes, never markup; style only through the CSSOM.

const SVG_NS = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [name, v] of Object.entries(value)) node.style.setProperty(name, v);
    else if (key === "text") node.textContent = value;
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An HTML element: `h("p", {class: "x", onclick: f, text: "..."}, child, ...)`. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** An SVG element, same form. */
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG_NS, tag), props, children);
}

/** Replace what is in `parent`. */
export function put(parent, ...children) {
  parent.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return parent;
}

/** Say something to a screen reader. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

const PATHS = {
  high: "M8 1.5 15 14H1Z",
  medium: "M8 1 15 8 8 15 1 8Z",
  low: "M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3Z",
  play: "M4 2.5v11l9-5.5Z",
  pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z",
  back: "M11.5 3v10L5 8zM3.5 3h1.5v10H3.5z",
  forward: "M4.5 3v10L11 8zM11 3h1.5v10H11z",
  check: "M6.3 12.3 2.3 8.3l1.3-1.3 2.7 2.7 6.1-6.1 1.3 1.3z",
  cross: "M4.2 3 8 6.8 11.8 3 13 4.2 9.2 8l3.8 3.8-1.2 1.2L8 9.2 4.2 13 3 11.8 6.8 8 3 4.2z",
  question: "M8 1.5a4 4 0 0 0-4 4h2a2 2 0 1 1 3.1 1.7C7.7 8.1 7 8.9 7 10.5h2c0-.8.3-1.2 1.2-1.8A4 4 0 0 0 8 1.5ZM7 12h2v2H7z",
  left: "M10.5 2.5 5 8l5.5 5.5 1.2-1.2L7.4 8l4.3-4.3z",
  right: "M5.5 2.5 11 8l-5.5 5.5-1.2-1.2L8.6 8 4.3 3.7z",
  sun: "M8 4.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7ZM7.3 0h1.4v2.5H7.3zM7.3 13.5h1.4V16H7.3zM0 7.3h2.5v1.4H0zM13.5 7.3H16v1.4h-2.5zM2 3l1-1 1.8 1.8-1 1zM11.2 12.2l1-1L14 13l-1 1zM2 13l1.8-1.8 1 1L3 14zM11.2 3.8 13 2l1 1-1.8 1.8z",
  camera: "M1 4h9v8H1zM11 7l4-2.5v7L11 9z",
};

/** A small drawn sign; decoration only, its meaning always stands beside it in words. */
export function icon(name) {
  return svg("svg", { class: `icon icon-${name}`, viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: PATHS[name] }));
}

/** The product's mark. */
export function mark() {
  return svg(
    "svg",
    { class: "mark", viewBox: "0 0 32 32", "aria-hidden": "true" },
    svg("path", { d: "M4 16c3.3-5.8 7.4-8.6 12-8.6s8.7 2.8 12 8.6c-3.3 5.8-7.4 8.6-12 8.6S7.3 21.8 4 16Z", class: "mark-eye" }),
    svg("circle", { cx: 16, cy: 16, r: 4.2, class: "mark-iris" }),
  );
}
