// Law: the one place where the console is put together: who is logged in, then feed, store, pages and keys.

import { ApiError, api, onSignedOut } from "./api.js";
import { Caller } from "./caller.js";
import { announce, h, put } from "./dom.js";
import { Feed } from "./feed.js";
import { showHelp, useKeys } from "./keys.js";
import { alertPage } from "./pages/alert.js";
import { auditPage } from "./pages/audit.js";
import { cameraPage } from "./pages/camera.js";
import { camerasPage } from "./pages/cameras.js";
import { casesPage } from "./pages/cases.js";
import { healthPage } from "./pages/health.js";
import { insightsPage } from "./pages/insights.js";
import { livePage } from "./pages/live.js";
import { loginPage, passwordPage } from "./pages/login.js";
import { outboundPage } from "./pages/outbound.js";
import { reviewPage } from "./pages/review.js";
import { shiftPage } from "./pages/shift.js";
import { usersPage } from "./pages/users.js";
import { Router } from "./router.js";
import { shell } from "./shell.js";
import { Store } from "./store.js";
import { SEVERITY, ruleName } from "./words.js";

const HANDOVERS_EVERY_MS = 60_000;

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
  const caller = new Caller(store);
  const frame = shell({ feed, me, logout });
  let list = "#/live";
  const mayAct = me.role !== "viewer";
  const countHandovers = async () => {
    try {
      frame.handovers((await api.handovers()).filter((note) => !note.taken_by && note.by !== me.name).length);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the count stays as it was
    }
  };
  const context = { store, caller, me, lastList: () => list, countHandovers };
  const show = (node, name) => {
    if (name === "live" || name === "review") list = location.hash || "#/live";
    frame.show(node, name);
  };
  const pages = {
    live: livePage,
    review: reviewPage,
    alerts: alertPage,
    cameras: (ctx, route) => (route.parts[1] ? cameraPage : camerasPage)(ctx, route),
    insights: insightsPage,
    health: () => healthPage(),
    ...(mayAct ? { shift: shiftPage, cases: casesPage } : {}),
    ...(me.role === "admin" ? { users: usersPage, audit: auditPage, outbound: outboundPage } : {}),
  };
  const router = new Router(Object.fromEntries(Object.entries(pages).map(([name, page]) => [name, (route) => page(context, route)])), show);
  const dropKeys = useKeys("Everywhere", [
    { keys: ["?"], label: "This page", run: showHelp },
    { keys: ["l"], label: "Live", run: () => void (location.hash = "#/live") },
    { keys: ["r"], label: "Review queue", run: () => void (location.hash = "#/review") },
    { keys: ["w"], label: "Cameras", run: () => void (location.hash = "#/cameras") },
    ...(mayAct ? [{ keys: ["s"], label: "Shift: notes and hand-over", run: () => void (location.hash = "#/shift") }] : []),
    ...(me.role === "admin" ? [{ keys: ["g"], label: "Users", run: () => void (location.hash = "#/users") }, { keys: ["i"], label: "Audit", run: () => void (location.hash = "#/audit") }] : []),
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
  const counting = mayAct ? setInterval(countHandovers, HANDOVERS_EVERY_MS) : null;
  if (mayAct) countHandovers();
  endSession = () => {
    endSession = () => {};
    clearInterval(counting);
    caller.end();
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
