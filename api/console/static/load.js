// Law: how much the desk was shown in the last hour against its budget, and how much was suppressed; true within seconds of every alert.

import { ApiError, api } from "./api.js";
import { h, put } from "./dom.js";

const EVERY_MS = 30_000; // an hour moves on by itself
const SOON_MS = 1000; // many alerts at once are one look

/** {node, drop()}; nothing is shown while there is neither a budget nor anything suppressed. */
export function loadGauge(feed) {
  const node = h("a", { class: "load", href: "#/review?suppressed=only", hidden: true });
  let soon = null;

  const look = async () => {
    soon = null;
    let load;
    try {
      load = await api.load();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return; // the sign in the top line tells of a service that does not answer
    }
    const hidden = load.suppressed.cooldown + load.suppressed.budget;
    const full = load.budget !== null && load.shown >= load.budget;
    node.hidden = load.budget === null && hidden === 0;
    node.classList.toggle("load-full", full);
    const words = load.budget === null ? `${load.shown} an hour` : `${load.shown} of ${load.budget} an hour`;
    node.title = [full ? "More than the desk can take: alerts of low severity are stored, not shown." : "Alerts shown in the last hour.", `Suppressed: ${load.suppressed.cooldown} repeats, ${load.suppressed.budget} above the budget.`].join("\n");
    put(node, load.budget === null ? null : h("meter", { min: 0, max: load.budget, value: Math.min(load.shown, load.budget), "aria-label": "Alerts shown in the last hour" }), h("span", { text: words }), hidden ? h("span", { class: "muted", text: `${hidden} suppressed` }) : null);
  };
  const onAlert = () => void (soon ??= setTimeout(look, SOON_MS));
  feed.addEventListener("alert", onAlert);
  feed.addEventListener("ready", onAlert);
  const timer = setInterval(look, EVERY_MS);
  look();
  return {
    node,
    drop() {
      clearInterval(timer);
      clearTimeout(soon);
      feed.removeEventListener("alert", onAlert);
      feed.removeEventListener("ready", onAlert);
    },
  };
}
