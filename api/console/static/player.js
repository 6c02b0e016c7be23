// Law: a clip with what the machine saw drawn over it, in step with the picture on the screen. Video time v shows stream second
// clip.start_t + v. While there is no clip it shows the snapshot and says why.

import { clipUrl, snapshotUrl } from "./api.js";
import { h, icon, put, svg } from "./dom.js";
import { Boxes } from "./overlay.js";
import { Skeletons, hasSkeletons } from "./skeletons.js";
import { Transport } from "./transport.js";
import { placeBox, surface, zoneLabel, zoneShape } from "./zones.js";

const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

export class Player extends EventTarget {
  #stage = h("div", { class: "stage" });
  #picture = h("div", { class: "stage-picture" });
  #drawn = h("div", { class: "stage-drawn" });
  #bodies = h("div", { class: "stage-drawn" });
  #zone = h("div", { class: "stage-zone" });
  #message = h("p", { class: "stage-message", role: "status", hidden: true });
  #video = null;
  #boxes = null;
  #skeletons = null;
  #size = { width: 16, height: 9 };
  #startT = 0;
  #frameS = 0.1; // learnt from the pictures shown
  #lastMedia = null;
  #transport;
  #watchSize = new ResizeObserver(() => this.#scale());

  constructor() {
    super();
    this.#transport = new Transport({
      toggle: () => this.toggle(),
      step: (n) => this.step(n),
      seek: (v) => this.seek(v),
      speed: (rate) => this.#video && (this.#video.playbackRate = rate),
      boxes: (on) => this.#drawn.classList.toggle("off", !on),
      skeletons: (on) => this.#bodies.classList.toggle("off", !on),
      zone: (on) => this.#zone.classList.toggle("off", !on),
    });
    put(this.#stage, this.#picture, this.#zone, this.#bodies, this.#drawn, this.#message);
    this.node = h("section", { class: "player", "aria-label": "Clip" }, this.#stage, this.#transport.node);
    this.#picture.addEventListener("click", () => this.toggle());
    this.#watchSize.observe(this.#stage);
  }

  /** Keys of the page that concern the clip. */
  keys() {
    return [
      { keys: [" "], label: "Play or pause", run: () => this.toggle() },
      { keys: [",", "ArrowLeft"], label: "One picture back", run: () => this.step(-1) },
      { keys: [".", "ArrowRight"], label: "One picture on", run: () => this.step(1) },
      { keys: ["Home"], label: "To the start of the clip", run: () => this.seek(0) },
      { keys: ["-"], label: "Slower", run: () => this.#transport.faster(-1) },
      { keys: ["+", "="], label: "Faster", run: () => this.#transport.faster(1) },
      { keys: ["b"], label: "Boxes on or off", run: () => this.#transport.flip("boxes") },
      { keys: ["k"], label: "Skeletons on or off", run: () => this.#transport.flip("skeletons") },
      { keys: ["z"], label: "Zone on or off", run: () => this.#transport.flip("zone") },
    ];
  }

  /** The picture's size in px, as boxes and zones mean it. */
  setSize(width, height) {
    if (!width || !height) return;
    this.#size = { width, height };
    this.#stage.style.setProperty("--ratio", `${width / height}`);
    this.#stage.style.aspectRatio = `${width} / ${height}`;
  }

  setZone(zone) {
    const { width, height } = this.#size;
    put(this.#zone);
    this.#transport.offer("zone", Boolean(zone));
    if (!zone) return;
    const shapes = surface(width, height, "zones");
    shapes.append(zoneShape(zone, width, height));
    put(this.#zone, shapes, zoneLabel(zone));
  }

  /** Play the clip of an AlertDetail, boxes and skeletons from its OverlayDoc (null: none). Blurred and clear are never taken for one another. */
  showClip(detail, overlay, blurred) {
    const clip = detail.media.clip;
    this.#startT = clip.start_t ?? detail.started_t;
    this.#video = h("video", { src: clipUrl(detail.alert_id, blurred), playsinline: true, preload: "auto", "aria-label": "Clip of the alert" });
    this.#video.muted = true;
    put(this.#picture, this.#video);
    this.#tell(clip.reason);
    this.#boxes = overlay ? new Boxes(overlay, detail.track_ids) : null;
    put(this.#drawn, this.#boxes?.node);
    this.#transport.offer("boxes", Boolean(overlay));
    this.#skeletons = overlay && hasSkeletons(overlay) ? new Skeletons(overlay, detail.track_ids) : null;
    put(this.#bodies, this.#skeletons?.node);
    this.#transport.offer("skeletons", Boolean(this.#skeletons));
    this.#transport.length(clip.duration_s ?? 0);
    this.#transport.marks([
      { v: detail.started_t - this.#startT, name: "started" },
      { v: detail.opened_t - this.#startT, name: "opened" },
    ].slice(detail.started_t === detail.opened_t ? 1 : 0));
    this.#scale();
    this.#follow();
    this.#draw(0);
    if (!reducedMotion.matches) this.#play();
  }

  /** Show the snapshot and words about the clip; the alert's box only while it is the one of the snapshot's moment. */
  showStill(detail, words, blurred) {
    this.#video = null;
    this.#boxes = this.#skeletons = null;
    this.#transport.length(0);
    this.#transport.offer("boxes", false);
    this.#transport.offer("skeletons", false);
    put(this.#bodies);
    this.#tell(words);
    if (detail.media.snapshot?.state !== "ready") {
      put(this.#drawn);
      put(this.#picture, h("div", { class: "stage-none" }, icon("camera"), h("span", { text: detail.media.snapshot?.reason || "No picture yet" })));
      return;
    }
    const { width, height } = this.#size;
    const shapes = surface(width, height, "boxes");
    if (detail.t === detail.opened_t) shapes.append(svg("g", { class: "track track-member" }, placeBox(svg("rect", { class: "box" }), detail.box)));
    put(this.#drawn, shapes);
    put(this.#picture, h("img", { src: snapshotUrl(detail.alert_id, blurred), alt: "Picture at the time of the alert" }));
  }

  #tell(words) {
    this.#message.textContent = words;
    this.#message.hidden = !words;
  }

  #follow() {
    const video = this.#video;
    video.addEventListener("loadedmetadata", () => Number.isFinite(video.duration) && this.#transport.length(video.duration));
    for (const name of ["play", "pause", "ended"]) video.addEventListener(name, () => this.#transport.playing(!video.paused));
    video.addEventListener("error", () => this.#tell("This browser cannot play the clip."));
    if (!("requestVideoFrameCallback" in video)) {
      video.addEventListener("timeupdate", () => this.#draw(video.currentTime));
      video.addEventListener("seeked", () => this.#draw(video.currentTime));
      return;
    }
    const onPicture = (_, { mediaTime }) => {
      if (this.#video !== video) return;
      const gap = mediaTime - (this.#lastMedia ?? mediaTime);
      if (gap > 0.005 && gap < this.#frameS) this.#frameS = gap;
      this.#lastMedia = mediaTime;
      this.#draw(mediaTime);
      video.requestVideoFrameCallback(onPicture);
    };
    video.requestVideoFrameCallback(onPicture);
  }

  #draw(v) {
    const t = this.#startT + v;
    this.#boxes?.draw(t);
    this.#skeletons?.draw(t);
    this.#transport.now(v);
    this.node.dataset.t = t.toFixed(3);
    this.dispatchEvent(new CustomEvent("time", { detail: t }));
  }

  #scale() {
    const shown = this.#stage.clientWidth;
    if (!shown) return;
    this.#boxes?.scale(this.#size.width / shown);
    this.#skeletons?.scale(this.#size.width / shown);
  }

  #play() {
    this.#video.play().catch(() => this.#transport.playing(false)); // a browser may refuse to start by itself
  }

  toggle() {
    if (!this.#video) return false;
    if (this.#video.paused) this.#play();
    else this.#video.pause();
    return true;
  }

  /** Show the picture `n` pictures away: aims at the middle of it, since a picture lasts until the next. */
  step(n) {
    if (!this.#video) return false;
    this.#video.pause();
    const shown = this.#lastMedia ?? this.#video.currentTime;
    return this.seek(shown + (n + 0.5) * this.#frameS);
  }

  /** Go to second v of the clip. */
  seek(v) {
    if (!this.#video) return false;
    const end = Number.isFinite(this.#video.duration) ? this.#video.duration : Infinity;
    this.#video.currentTime = Math.min(Math.max(0, v), end);
    return true;
  }

  /** Go to stream second t. */
  seekStream(t) {
    return this.seek(t - this.#startT);
  }

  end() {
    this.#watchSize.disconnect();
    if (!this.#video) return;
    this.#video.pause();
    this.#video.removeAttribute("src");
    this.#video.load();
    this.#video = null;
  }
}

/** Words for a clip that cannot be played yet, or never. */
export function clipWords({ clip, snapshot }, view) {
  if (view.clip === "being_made") return "The blurred clip is being made.";
  if (clip?.state === "ready") return "There is no blurred clip: it cannot be made.";
  if (clip?.state === "missing") return `There is no clip: ${clip.reason || "no reason was given"}`;
  if (snapshot?.state !== "ready") return "The clip is being made.";
  return "The clip is being made. Until it is here, this is the picture of the moment of the alert.";
}

