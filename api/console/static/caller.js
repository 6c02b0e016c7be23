// Law: calls a person when an alert comes: a sound, a notification of the desktop. Both are off until this person switches them on,
// and each browser remembers its own choice.

import { alertHash } from "./router.js";
import { SEVERITY, ruleName } from "./words.js";

const KEYS = { sound: "watchpost-sound", notice: "watchpost-notice" };
const QUIET_MS = 1000; // a burst of alerts is one sound
const BEEP_S = 0.16;
const PITCH_HZ = { low: 520, medium: 660, high: 880 };
const BEEPS = { low: 1, medium: 1, high: 3 };

export class Caller {
  #context = null;
  #soundedAt = -Infinity;

  /** Follows the alerts that a store points out as new. */
  constructor(store) {
    this.store = store;
    this.#take = ({ detail }) => this.#call(detail);
    store.addEventListener("fresh", this.#take);
  }

  #take;

  /** Whether "sound" or "notice" is on in this browser. */
  on(which) {
    const chosen = localStorage.getItem(KEYS[which]) === "on";
    return which === "notice" ? chosen && "Notification" in window && Notification.permission === "granted" : chosen;
  }

  /** Switch one on or off; gives words when the browser does not allow it. */
  async choose(which, on) {
    if (on && which === "notice") {
      if (!("Notification" in window)) return "This browser has no notifications.";
      if ((await Notification.requestPermission()) !== "granted") return "Notifications are blocked for this page: allow them in the browser's settings.";
    }
    if (on) localStorage.setItem(KEYS[which], "on");
    else localStorage.removeItem(KEYS[which]);
    if (on && which === "sound") this.#sound("medium"); // so that its loudness can be set now
    return "";
  }

  end() {
    this.store.removeEventListener("fresh", this.#take);
    this.#context?.close();
  }

  #call(alert) {
    if (this.on("sound") && performance.now() - this.#soundedAt > QUIET_MS) this.#sound(alert.severity);
    if (this.on("notice") && document.hidden) this.#notify(alert);
  }

  #sound(severity) {
    this.#soundedAt = performance.now();
    this.#context ??= new AudioContext();
    this.#context.resume(); // a browser lets a page speak once somebody has touched it
    for (let n = 0; n < BEEPS[severity]; n++) this.#beep(PITCH_HZ[severity], this.#context.currentTime + n * 2 * BEEP_S);
  }

  #beep(hertz, from) {
    const tone = this.#context.createOscillator();
    const loudness = this.#context.createGain();
    tone.frequency.value = hertz;
    loudness.gain.setValueAtTime(0.0001, from);
    loudness.gain.exponentialRampToValueAtTime(0.25, from + 0.02);
    loudness.gain.exponentialRampToValueAtTime(0.0001, from + BEEP_S);
    tone.connect(loudness).connect(this.#context.destination);
    tone.start(from);
    tone.stop(from + BEEP_S);
  }

  /** Only while the page is not seen. */
  #notify(alert) {
    const notice = new Notification(`${SEVERITY[alert.severity]}: ${ruleName(alert.rule)}, ${alert.camera_name}`, { body: alert.reason, tag: alert.alert_id });
    notice.onclick = () => {
      window.focus();
      location.hash = alertHash(alert.alert_id);
      notice.close();
    };
  }
}
