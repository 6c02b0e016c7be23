// Law: the order in which alerts wait for a verdict: most severe first, oldest first within; and which one comes next.

import { api } from "./api.js";
import { SEVERITY_RANK } from "./words.js";

const PAGE = 100;
const MOST_PAGES = 5;

export function queueOrder(a, b) {
  return (
    SEVERITY_RANK[b.severity] - SEVERITY_RANK[a.severity] ||
    Date.parse(a.opened_at) - Date.parse(b.opened_at) ||
    (a.alert_id < b.alert_id ? -1 : 1)
  );
}

/** All alerts of a filter, up to a bound: {items, more}; `more` says that there are others which are not in `items`. */
export async function readAlerts(filter) {
  const items = [];
  let cursor = null;
  for (let i = 0; i < MOST_PAGES; i++) {
    const page = await api.alerts({ ...filter, limit: PAGE, cursor });
    items.push(...page.items);
    cursor = page.next;
    if (!cursor) break;
  }
  return { items, more: cursor !== null };
}

/** The next alert without a verdict after `current` in queue order, from the top again at the end; null when none waits. */
export async function nextWaiting(current) {
  const { items } = await readAlerts({ verdict: "none" });
  const others = items.filter((a) => a.alert_id !== current.alert_id).sort(queueOrder);
  return others.find((a) => queueOrder(a, current) > 0) ?? others[0] ?? null;
}
