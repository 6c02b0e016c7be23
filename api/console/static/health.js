// Law: what the service says is wrong with it (a disk nearly full, a database that is held) stands below the top line, on every page.

import { ApiError, api } from "./api.js";
import { h, put } from "./dom.js";

const EVERY_MS = 30_000;

/** {node, drop()} */
export function healthStrip() {
  const node = h("div", { class: "health-strip", role: "status", hidden: true });
  let shown = "";
  const look = async () => {
    let problems;
    try {
      ({ problems } = await api.health());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return; // the sign in the top line tells of a service that does not answer
    }
    if (problems.join("\n") === shown) return; // said again only when it changes
    shown = problems.join("\n");
    node.hidden = problems.length === 0;
    put(node, problems.map((text) => h("p", { text: text.charAt(0).toUpperCase() + text.slice(1) })));
  };
  look();
  const timer = setInterval(look, EVERY_MS);
  return { node, drop: () => clearInterval(timer) };
}
