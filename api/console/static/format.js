// Law: turns numbers, times and codes into what a person reads. Pure but for the one ticker that keeps ages true and removes what holds only until a moment.

import { h } from "./dom.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const counts = new Intl.NumberFormat(undefined);

/** "14:03:22", with the day before it unless it is today's. */
export function clockTime(iso) {
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  return today ? clock.format(at) : `${day.format(at)} ${clock.format(at)}`;
}

/** The same moment where the camera stands, for a tooltip. */
export function cameraTime(iso, zone) {
  if (!zone) return `${iso} (UTC)`;
  try {
    const format = { dateStyle: "medium", timeStyle: "long", timeZone: zone, hourCycle: "h23" };
    return `At the camera: ${new Intl.DateTimeFormat(undefined, format).format(new Date(iso))} (${zone})`;
  } catch {
    return `${iso} (UTC; the camera's zone ${zone} is not known to this browser)`;
  }
}

/** Seconds as "850 ms", "6.5 s", "2 min 05 s", "3 h 12 min". */
export function duration(s) {
  if (!Number.isFinite(s)) return "–";
  if (s < 0) return `−${duration(-s)}`;
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${trim(s, 1)} s`;
  const whole = Math.round(s);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

function trim(x, digits) {
  return String(Number(x.toFixed(digits)));
}

/** A number with as many digits as help. */
export function number(x) {
  if (!Number.isFinite(x)) return "–";
  if (Number.isInteger(x)) return counts.format(x);
  return trim(x, Math.abs(x) >= 100 ? 0 : Math.abs(x) >= 10 ? 1 : 2);
}

export const percent = (x) => (x > 0.99 && x < 1 ? "99 %" : `${Math.round(x * 100)} %`);

/** Position in a clip: "0:07.4". */
export function position(s) {
  const tenths = Math.max(0, Math.floor(s * 10 + 1e-6));
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

function ageWords(iso) {
  const s = Math.max(0, (Date.now() - Date.parse(iso)) / 1000);
  if (s < 5) return "now";
  if (s < 60) return `${Math.floor(s)} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86_400)} d ago`;
}

/** A <time> that says how long ago, and stays true. */
export function age(iso, zone) {
  return h("time", { datetime: iso, "data-age": "", title: `${clockTime(iso)}\n${cameraTime(iso, zone)}`, text: ageWords(iso) });
}

/** A <time> on the viewer's clock; the camera's own clock is in its tooltip. */
export function at(iso, zone) {
  return h("time", { datetime: iso, title: cameraTime(iso, zone), text: clockTime(iso) });
}

setInterval(() => {
  for (const node of document.querySelectorAll("time[data-age]")) {
    const words = ageWords(node.getAttribute("datetime"));
    if (node.textContent !== words) node.textContent = words;
  }
  for (const node of document.querySelectorAll("[data-until]")) if (Date.parse(node.dataset.until) <= Date.now()) node.remove();
}, 1000);
