// Law: one alert: what was seen, why it was raised, and a person's verdict on it. Follows the alert while it changes.

import { ApiError, api, bundleUrl } from "../api.js";
import { failure, loading, phaseChip, severityBadge } from "../badges.js";
import { casePicker } from "../case_picker.js";
import { ClaimBar } from "../claim_bar.js";
import { announce, h, put } from "../dom.js";
import { factList, historyList, panel, provenanceList } from "../facts.js";
import { age, at, duration } from "../format.js";
import { HoldBar } from "../hold_bar.js";
import { useKeys } from "../keys.js";
import { noteForm } from "../note_form.js";
import { Player, clipWords } from "../player.js";
import { plots } from "../plot.js";
import { privacyBar } from "../privacy_bar.js";
import { nextWaiting } from "../queue.js";
import { alertHash } from "../router.js";
import { VerdictBar } from "../verdict_bar.js";
import { ruleName } from "../words.js";

const ASK_AGAIN_MS = 1500; // while a blurred clip is being made

/** What decides how the clip is shown; while it stays the same, the player is left alone. */
function mediaKey({ media, revision }) {
  const states = ["clip", "overlay", "snapshot"].map((kind) => [media[kind]?.state, media[kind]?.start_t, media[kind]?.reason]);
  return JSON.stringify(media.clip?.state === "ready" ? states.slice(0, 2) : [...states, revision]);
}

function lasted(detail) {
  const until = detail.phase === "closed" ? Date.parse(detail.at) : Date.now();
  return duration((until - Date.parse(detail.started_at)) / 1000);
}

function heading(detail, zone, camera) {
  const where = [camera?.name ?? detail.camera_name, detail.zone].filter(Boolean).join(" · ");
  return [
    h("div", { class: "alert-title" }, severityBadge(detail.severity), h("h1", { text: ruleName(detail.rule) }), phaseChip(detail.phase), h("span", { class: "alert-where", text: where })),
    h("p", { class: "alert-reason", text: detail.reason }),
    suppressedWords(detail),
    h("p", { class: "alert-times muted" }, "Started ", at(detail.started_at, zone), ", alert ", at(detail.opened_at, zone), " (", age(detail.opened_at, zone), "), ", detail.phase === "closed" ? `lasted ${lasted(detail)}` : "not ended yet"),
  ];
}

/** Why an alert is not in the queue. */
function suppressedWords({ suppressed }) {
  if (!suppressed) return null;
  if (suppressed.why === "shadow") return h("p", { class: "suppressed" }, "Of a rule that runs silently: stored and counted, never put before people. A verdict counts for the rule's own precision.");
  const why = suppressed.why === "budget" ? ["the desk was shown all it can take in an hour"] : ["it repeats ", h("a", { href: alertHash(suppressed.by), text: "another alert" })];
  return h("p", { class: "suppressed" }, "Suppressed: ", why, ". It is shown if it gets more severe.");
}

export function alertPage({ store, me, lastList }, route) {
  const alertId = route.parts[1] ?? "";
  const player = new Player();
  const bar = new VerdictBar({ send, next, allowed: me.role !== "viewer" });
  const holdBar = new HoldBar({ send: hold, allowed: me.role !== "viewer", bundle: bundleUrl(alertId), more: casePicker(alertId, read) });
  const privacy = privacyBar({ reveal, allowed: me.role !== "viewer" });
  const claimBar = new ClaimBar({ act, me });
  const notes = noteForm({ id: "alert-note", label: "Add a note", verb: "Add note", key: "a", said: "Note added", send: async (text) => take(await api.addNote(alertId, text)) });
  const historyPlace = h("div");
  const historyPanel = panel("History", "history-title", historyPlace, me.role === "viewer" ? null : notes.node); // kept, and with it a half-written note
  const head = h("header", { class: "alert-head" });
  const series = h("section", { class: "panel", "aria-labelledby": "series-title" });
  const facts = h("div", { class: "alert-facts" });
  const side = h("div", { class: "alert-side-more" });
  const back = h("a", { class: "back", href: lastList(), text: lastList().startsWith("#/review") ? "Back to the queue" : "Back to live" });
  const body = h("div", { class: "alert-body" }, h("div", { class: "alert-main" }, privacy.node, player.node, series), h("aside", { class: "alert-side", "aria-label": "About this alert" }, claimBar.node, bar.node, holdBar.node, facts, historyPanel, side));
  const node = h("main", { class: "alert", id: "main" }, back, loading("Reading the alert …"));
  let detail = null;
  let shownMedia = null;
  let follow = () => {};
  let ended = false;
  let asking = null;

  const camera = () => store.cameras.get(detail.camera_id);

  async function read() {
    try {
      const fresh = await api.alert(alertId);
      if (!ended) await show(fresh);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!ended && !detail) put(node, back, failure(error.status === 404 || error.status === 422 ? "There is no such alert." : error.message));
    }
  }

  async function show(fresh) {
    const first = detail === null;
    detail = fresh;
    const zone = camera()?.timezone;
    put(head, heading(detail, zone, camera()));
    bar.show(detail);
    holdBar.show(detail, zone);
    claimBar.show(detail);
    const provenance = provenanceList(detail, zone);
    provenance.open = side.querySelector(".provenance")?.open ?? false;
    put(facts, panel("Facts", "facts-title", factList(detail)));
    put(historyPlace, historyList(detail, zone));
    put(side, provenance);
    const plot = plots(detail, (t) => player.seekStream(t));
    follow = plot.cursor;
    put(series, h("header", { class: "section-head" }, h("h2", { id: "series-title", text: "What was measured" })), plot.node);
    if (player.node.dataset.t) follow(Number(player.node.dataset.t));
    if (first) put(node, back, head, body);
    await showMedia();
  }

  async function showMedia() {
    // Boxes and zone need the camera's size, which may become known after the alert.
    const key = mediaKey(detail) + (camera() ? " placed" : "");
    if (key === shownMedia) return;
    shownMedia = key;
    clearTimeout(asking);
    const view = await readView();
    if (ended || shownMedia !== key) return;
    privacy.show(view);
    holdBar.blurred(view.blurred);
    const { clip, overlay } = detail.media;
    const doc = clip?.state === "ready" && overlay?.state === "ready" ? await readOverlay() : null;
    if (ended) return;
    const size = doc ?? camera();
    player.setSize(size?.width, size?.height);
    player.setZone(camera()?.zones.find((zone) => zone.name === detail.zone) ?? null);
    if (clip?.state === "ready" && view.clip !== "being_made" && view.clip !== "none") player.showClip(detail, doc, view.blurred);
    else player.showStill(detail, clipWords(detail.media, view), view.blurred);
    if (view.clip === "being_made") asking = setTimeout(lookAgain, ASK_AGAIN_MS);
  }

  function lookAgain() {
    shownMedia = null;
    showMedia();
  }

  async function readView() {
    try {
      return await api.view(alertId);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { blurred: false, clip: "clear" }; // the service decides what it sends, whatever this page believes
    }
  }

  async function reveal(reason) {
    await api.reveal(alertId, reason);
    lookAgain();
  }

  async function readOverlay() {
    try {
      return await api.overlay(alertId);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return null; // the clip is worth seeing without boxes; the switch shows that there are none
    }
  }

  async function send(verdict) {
    await claimBar.settled; // a claim that comes after the verdict would be refused
    await take(await api.verdict(alertId, verdict));
  }

  async function hold(held) {
    await take(await api.hold(alertId, held));
  }

  async function act(name) {
    const done = { claim: () => api.claim(alertId), take: () => api.claim(alertId, true), release: () => api.endClaim(alertId), reopen: () => api.reopen(alertId) };
    const fresh = await done[name]();
    if (ended) store.take([summary(fresh)], false);
    else await take(fresh);
  }

  async function take(fresh) {
    store.take([summary(fresh)], false);
    await show(fresh);
  }

  async function next() {
    try {
      const waiting = await nextWaiting(detail ?? { alert_id: alertId, severity: "low", opened_at: new Date(0).toISOString() });
      if (!waiting) announce("No other alert waits for a verdict.");
      location.hash = waiting ? alertHash(waiting.alert_id) : "#/review";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      announce(error.message);
    }
  }

  const onAlerts = (event) => event.detail.has(alertId) && event.detail.get(alertId).updated_at !== detail?.updated_at && read();
  store.addEventListener("alerts", onAlerts);
  store.addEventListener("loaded", read);
  player.addEventListener("time", (event) => follow(event.detail));
  const noteKeys = me.role === "viewer" ? [] : [{ keys: ["a"], label: "Add a note", run: () => notes.focus() }];
  const dropKeys = [
    useKeys("Clip", player.keys()),
    useKeys("Verdict", [...bar.keys(), ...holdBar.keys(), ...claimBar.keys(), ...privacy.keys(), ...noteKeys, { keys: ["n"], label: "Next alert without a verdict", run: () => void next() }, { keys: ["Escape"], label: "Back to the list", run: () => void back.click() }]),
  ];
  read();

  return {
    node,
    end() {
      ended = true;
      clearTimeout(asking);
      claimBar.end();
      player.end();
      store.removeEventListener("alerts", onAlerts);
      store.removeEventListener("loaded", read);
      for (const drop of dropKeys) drop();
    },
  };
}

const SUMMARY = ["alert_id", "phase", "revision", "camera_id", "camera_name", "rule", "zone", "started_at", "opened_at", "at", "severity", "score", "facts", "reason", "received_at", "updated_at", "status", "suppressed", "claim", "verdict", "hold", "media"];

/** The AlertOut in an AlertDetail. */
function summary(detail) {
  return Object.fromEntries(SUMMARY.map((name) => [name, detail[name]]));
}
