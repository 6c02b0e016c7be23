// Law: one stream of changes from the service, resumed after every cut from the last number seen.
// It reads the stream itself: EventSource hides the service's heartbeat comments (so a silent, dead connection looks alive) and
// forgets the last number when a proxy answers an error.

import { FEED_URL } from "./api.js";

const SILENT_MS = 35_000; // the service speaks every 15 s; after this long the connection is taken for dead
const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15_000];

/** Splits the bytes of a text/event-stream into messages {kind, id, data}; comments count as life only. */
export class Messages {
  #rest = "";

  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    const out = [];
    for (const line of lines) {
      const message = this.#line(line);
      if (message) out.push(message);
    }
    return out;
  }

  #now = { kind: "message", id: null, data: [] };

  #line(line) {
    if (line === "") {
      const done = this.#now;
      this.#now = { kind: "message", id: null, data: [] };
      return done.data.length ? { ...done, data: done.data.join("\n") } : null;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#now.kind = value;
    if (name === "id") this.#now.id = value;
    if (name === "data") this.#now.data.push(value);
    return null;
  }
}

/**
 * Events sent to listeners: "alert" (detail AlertOut), "camera" (CameraOut), "ready" (what was missed has been sent; {resumed:
 * false} means that nothing was known to be missed: read everything now),
 * "reload" (what was missed is too old: read everything again), "state" ({live, since}), "denied" (nobody is logged in).
 */
export class Feed extends EventTarget {
  live = false;
  since = null; // Date of the last sign of life while not live
  #lastId = null;
  #heard = 0;
  #heardAt = null;
  #cut = null;
  #running = false;
  #resumed = false;
  #wake = () => {};

  start() {
    if (this.#running) return;
    this.#running = true;
    this.#run();
    this.#watch = setInterval(() => this.#check(), 1000);
    for (const name of ["online", "visibilitychange"]) window.addEventListener(name, this.#poke);
  }

  stop() {
    this.#running = false;
    clearInterval(this.#watch);
    for (const name of ["online", "visibilitychange"]) window.removeEventListener(name, this.#poke);
    this.#cut?.abort();
    this.#wake();
    this.#lastId = null;
    this.live = false;
    this.since = null;
  }

  #watch = null;
  #poke = () => {
    this.#check();
    this.#wake();
  };

  #check() {
    if (this.#cut && performance.now() - this.#heard > SILENT_MS) this.#cut.abort();
  }

  #say(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #state(live) {
    if (live === this.live && (live || this.since)) return;
    this.live = live;
    this.since = live ? null : (this.#heardAt ?? new Date());
    this.#say("state", { live, since: this.since });
  }

  #sign() {
    this.#heard = performance.now();
    this.#heardAt = new Date();
  }

  async #run() {
    let tries = 0;
    while (this.#running) {
      this.#cut = new AbortController();
      this.#heard = performance.now();
      try {
        if (await this.#read(this.#cut.signal)) tries = 0;
      } catch (error) {
        if (!(error instanceof TypeError || error.name === "AbortError")) throw error; // what fetch says of a lost connection
      }
      this.#cut = null;
      if (!this.#running) return;
      this.#state(false);
      const wait = RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)] * (0.75 + Math.random() / 2);
      await new Promise((done) => {
        this.#wake = done;
        setTimeout(done, wait);
      });
    }
  }

  /** Reads until the connection ends; true when it had been up. */
  async #read(signal) {
    const headers = { Accept: "text/event-stream" };
    if (this.#lastId !== null) headers["Last-Event-ID"] = this.#lastId;
    const answer = await fetch(FEED_URL, { headers, signal, cache: "no-store" });
    if (answer.status === 401) {
      this.#running = false;
      this.#say("denied");
    }
    if (!answer.ok || !answer.body) return false;
    this.#resumed = this.#lastId !== null;
    this.#sign();
    this.#state(true);
    const messages = new Messages();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return true;
      this.#sign();
      for (const message of messages.push(value)) this.#take(message);
    }
  }

  #take({ kind, id, data }) {
    if (id) this.#lastId = id;
    if (kind === "ready") this.#say("ready", { resumed: this.#resumed });
    else if (kind === "reload") this.#say("reload");
    else if (kind === "alert" || kind === "camera") this.#say(kind, JSON.parse(data));
  }
}
