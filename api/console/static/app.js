// Law: the one place where the console is put together: who is logged in, then feed, store, pages and keys.

import { ApiError, api, onSignedOut } from "./api.js";
import { announce, h, put } from "./dom.js";
import { Feed } from "./feed.js";
import { showHelp, useKeys } from "./keys.js";
import { alertPage } from "./pages/alert.js";
import { healthPage } from "./pages/health.js";
import { insightsPage } from "./pages/insights.js";
import { livePage } from "./pages/live.js";
import { loginPage, passwordPage } from "./pages/login.js";
import { outboundPage } from "./pages/outbound.js";
import { reviewPage } from "./pages/review.js";
import { Router } from "./router.js";
import { shell } from "./shell.js";
import { Store } from "./store.js";
import { SEVERITY, ruleName } from "./words.js";

const root = document.getElementById("app");
let endSession = () => {};

function gate(page) {
  endSession();
  put(root, page.node);
  page.focus();
}

function enter(me) {
  if (me.must_change_password) gate(passwordPage(me, enter));
  else open(me);
}

const askLogin = () => gate(loginPage(enter));

async function logout() {
  try {
    await api.logout();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status !== 401) return announce(`Not logged out. ${error.message}`);
  }
  askLogin();
}

function open(me) {
  endSession();
  const feed = new Feed();
  const store = new Store(feed);
  const frame = shell({ feed, me, logout });
  let list = "#/live";
  const context = { store, me, lastList: () => list };
  const show = (node, name) => {
    if (name !== "alerts") list = location.hash || "#/live";
    frame.show(node, name);
  };
  const router = new Router({ live: (r) => livePage(context, r), review: (r) => reviewPage(context, r), alerts: (r) => alertPage(context, r), insights: (r) => insightsPage(context, r), health: () => healthPage(), outbound: () => outboundPage(context) }, show);
  const dropKeys = useKeys("Everywhere", [
    { keys: ["?"], label: "This page", run: showHelp },
    { keys: ["l"], label: "Live", run: () => void (location.hash = "#/live") },
    { keys: ["r"], label: "Review queue", run: () => void (location.hash = "#/review") },
  ]);
  const count = () => {
    const waiting = [...store.alerts.values()].filter((a) => !a.verdict).length;
    frame.waiting(waiting, store.next !== null);
  };
  store.addEventListener("alerts", count);
  store.addEventListener("loaded", count);
  store.addEventListener("fresh", ({ detail: a }) => announce(`New alert, ${SEVERITY[a.severity]}: ${ruleName(a.rule)}, ${a.camera_name}. ${a.reason}`));
  feed.addEventListener("denied", askLogin);
  put(root, frame.node);
  router.start();
  feed.start();
  endSession = () => {
    endSession = () => {};
    feed.stop();
    router.stop();
    frame.drop();
    dropKeys();
  };
}

onSignedOut(askLogin);

try {
  enter(await api.me());
} catch (error) {
  if (!(error instanceof ApiError)) throw error;
  if (error.status === 401) askLogin();
  else put(root, h("main", { class: "gate" }, h("div", { class: "card" }, h("h1", { text: "Watchpost" }), h("p", { class: "failure", role: "alert", text: error.message }), h("button", { class: "button primary", type: "button", text: "Try again", onclick: () => location.reload() }))));
}
