// Law: what is around every page: the ways between pages, whether the screen is live, light or dark, who is logged in.

import { h, icon, mark, put } from "./dom.js";
import { clockTime } from "./format.js";
import { healthStrip } from "./health.js";
import { loadGauge } from "./load.js";
import { showHelp } from "./keys.js";

function themeNow() {
  return document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
}

function flipTheme() {
  const theme = themeNow() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("watchpost-theme", theme);
}

/** Says whether what is on the screen is true now. */
function liveSign(feed) {
  const words = h("span", { text: "Connecting …" });
  const node = h("p", { class: "live-sign", role: "status" }, words);
  const show = () => {
    node.classList.toggle("is-live", feed.live);
    node.classList.toggle("not-live", !feed.live && feed.since !== null);
    words.textContent = feed.live ? "Live" : feed.since ? `Not live since ${clockTime(feed.since.toISOString())}` : "Connecting …";
    node.title = feed.live ? "Changes appear by themselves" : "What you see may be old. The console keeps trying; nothing is lost.";
  };
  feed.addEventListener("state", show);
  show();
  return { node, drop: () => feed.removeEventListener("state", show) };
}

/** {node, show(page, name), waiting(n), drop()} */
export function shell({ feed, me, logout }) {
  const places = [
    ["live", "#/live", "Live"],
    ["review", "#/review", "Review"],
    ...(me.role === "viewer" ? [] : [["shift", "#/shift", "Shift"], ["cases", "#/cases", "Cases"]]),
    ["cameras", "#/cameras", "Cameras"],
    ["insights", "#/insights", "Insights"],
    ["health", "#/health", "Health"],
    ...(me.role === "admin" ? [["outbound", "#/outbound", "Outbound"], ["users", "#/users", "Users"], ["audit", "#/audit", "Audit"]] : []),
  ];
  const notes = h("span", { class: "nav-count", hidden: true });
  const badge = h("span", { class: "nav-count", hidden: true });
  const links = places.map(([name, href, words]) => h("a", { href, "data-page": name }, words, name === "review" ? badge : name === "shift" ? notes : null));
  const sign = liveSign(feed);
  const health = healthStrip();
  const load = loadGauge(feed);
  const theme = h("button", { class: "button icon-button quiet", type: "button", "aria-label": "Light or dark", title: "Light or dark", onclick: flipTheme }, icon("sun"));
  const help = h("button", { class: "button icon-button quiet", type: "button", "aria-label": "Keys", title: "Keys (?)", onclick: showHelp }, icon("question"));
  const person = h("span", { class: "person", title: `Role: ${me.role}` }, h("span", { text: me.name }));
  const out = h("button", { class: "button quiet", type: "button", text: "Log out", onclick: logout });
  const place = h("div", { class: "place" });
  const skip = h("button", { class: "skip", type: "button", text: "Skip to content", onclick: () => place.querySelector("main a, main button")?.focus() });
  const header = h("header", { class: "top" }, skip, h("a", { class: "brand", href: "#/live", "aria-label": "Watchpost" }, mark(), h("span", { text: "Watchpost" })), h("nav", { "aria-label": "Pages" }, links), sign.node, load.node, h("span", { class: "spacer" }), help, theme, person, out);
  return {
    node: h("div", { class: "shell" }, header, health.node, place),
    show(page, name) {
      put(place, page);
      for (const link of links) {
        if (link.dataset.page === name) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
      scrollTo(0, 0);
    },
    waiting(n, more) {
      badge.hidden = n === 0;
      badge.textContent = `${n}${more ? "+" : ""}`;
      badge.setAttribute("aria-label", `${n} without a verdict`);
      document.title = n ? `(${n}${more ? "+" : ""}) Watchpost` : "Watchpost";
    },
    handovers(n) {
      notes.hidden = n === 0;
      notes.textContent = String(n);
      notes.setAttribute("aria-label", `${n} not taken yet`);
    },
    drop() {
      sign.drop();
      health.drop();
      load.drop();
    },
  };
}
