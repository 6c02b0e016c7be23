// Law: one measured quantity over time as a small line, its threshold dashed, the marks of the alert and a cursor in step with the clip.

import { h, put, svg } from "./dom.js";
import { number } from "./format.js";
import { factLabel, thresholdWords, unitWords } from "./words.js";

const W = 1000;
const H = 100;

function niceTop(x) {
  if (x <= 0) return 1;
  const size = 10 ** Math.floor(Math.log10(x));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((k) => k * size).find((top) => top >= x * 1.08) ?? x;
}

function medianGap(t) {
  const gaps = t.slice(1).map((x, i) => x - t[i]).sort((a, b) => a - b);
  return gaps[Math.floor(gaps.length / 2)] ?? 1;
}

export class Plot {
  #series;
  #domain;
  #now = h("output", { class: "plot-now" });
  #cursor = svg("line", { class: "plot-cursor", y1: 0, y2: H });

  /** `domain`: [from, until] stream s shared by all plots; `marks`: [{t, name}]; `seek(t)` when a person points at a moment. */
  constructor(series, domain, marks, seek) {
    this.#series = series;
    this.#domain = domain;
    const counts = series.v.every(Number.isInteger);
    const top = niceTop(Math.max(...series.v, series.threshold ?? 0));
    const y = (v) => H - (Math.max(0, v) / top) * H;
    const area = svg("svg", { class: "plot-lines", viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    area.append(...marks.map(({ t, name }) => svg("line", { class: `plot-mark plot-${name}`, x1: this.#x(t), x2: this.#x(t), y1: 0, y2: H })));
    if (series.threshold !== null) area.append(svg("line", { class: "plot-threshold", x1: 0, x2: W, y1: y(series.threshold), y2: y(series.threshold) }));
    area.append(svg("path", { class: "plot-line", d: this.#path(y, counts) }), this.#cursor);
    const canvas = h("div", { class: "plot-area" }, h("span", { class: "plot-top", text: number(top) }), h("span", { class: "plot-zero", text: "0" }), area);
    canvas.addEventListener("pointerdown", (event) => {
      const { left, width } = area.getBoundingClientRect();
      seek(domain[0] + ((event.clientX - left) / width) * (domain[1] - domain[0]));
    });
    this.node = h("figure", { class: "plot" }, h("figcaption", {}, h("span", { class: "plot-name", text: factLabel(series.name) }), this.#limit(), this.#now), canvas);
    this.node.setAttribute("aria-label", this.#words());
    this.cursor(domain[0]);
  }

  #x(t) {
    return ((t - this.#domain[0]) / (this.#domain[1] - this.#domain[0])) * W;
  }

  #limit() {
    const { threshold, name } = this.#series;
    return threshold === null ? null : h("span", { class: "plot-limit", text: `${thresholdWords(name)} ${number(threshold)}` });
  }

  #words() {
    const { name, v, unit, threshold } = this.#series;
    if (!v.length) return `${factLabel(name)}: no values`;
    const range = `${factLabel(name)}: ${number(Math.min(...v))} to ${number(Math.max(...v))} ${unitWords(unit)}`;
    return threshold === null ? range : `${range}, ${thresholdWords(name)} ${number(threshold)}`;
  }

  /** A step line for counts, a straight line for the rest; broken where nothing was measured. */
  #path(y, counts) {
    const { t, v } = this.#series;
    const hole = 4 * medianGap(t);
    return t
      .map((time, i) => {
        const point = `${this.#x(time).toFixed(1)} ${y(v[i]).toFixed(1)}`;
        if (i === 0 || time - t[i - 1] > hole) return `M${point}`;
        return counts ? `H${this.#x(time).toFixed(1)}V${y(v[i]).toFixed(1)}` : `L${point}`;
      })
      .join("");
  }

  /** Put the cursor at stream second t and say the value there. */
  cursor(t) {
    const x = Math.min(W, Math.max(0, this.#x(t)));
    this.#cursor.setAttribute("x1", x);
    this.#cursor.setAttribute("x2", x);
    const { t: times, v, unit } = this.#series;
    const i = times.findLastIndex((time) => time <= t);
    const there = i >= 0 && t - times[i] <= 4 * medianGap(times);
    put(this.#now, there ? `${number(v[i])} ${unitWords(unit)}` : "–");
  }
}

/** All plots of an alert over one time axis: {node, cursor(t)}; `clip`: its MediaOut. */
export function plots({ series, started_t, opened_t, media: { clip } }, seek) {
  const shown = series.filter((s) => s.t.length > 0);
  if (!shown.length) return { node: h("p", { class: "muted", text: "This alert carries no time series." }), cursor() {} };
  const times = shown.flatMap((s) => [s.t[0], s.t.at(-1)]);
  if (clip?.state === "ready" && clip.start_t !== null) times.push(clip.start_t, clip.start_t + (clip.duration_s ?? 0));
  const from = Math.min(...times);
  const domain = [from, Math.max(...times, from + 1)];
  const both = [{ t: started_t, name: "started" }, { t: opened_t, name: "opened" }].slice(started_t === opened_t ? 1 : 0); // at once: one mark
  const marks = both.filter((m) => m.t >= domain[0] && m.t <= domain[1]);
  const all = shown.map((s) => new Plot(s, domain, marks, seek));
  const room = (domain[1] - domain[0]) * 0.12; // a word's width: nearer marks share the last one's
  const named = marks.filter((m) => m === marks.at(-1) || marks.at(-1).t - m.t >= room);
  const axis = h("div", { class: "plot-axis", "aria-hidden": "true" }, named.map((m) => axisMark(m, domain)));
  return { node: h("div", { class: "plots" }, all.map((p) => p.node), axis), cursor: (t) => all.forEach((p) => p.cursor(t)) };
}

function axisMark({ t, name }, [from, until]) {
  const share = (t - from) / (until - from);
  const label = h("span", { class: `plot-${name}`, text: name === "started" ? "Started" : "Alert" });
  label.style.left = `${share * 100}%`;
  label.classList.toggle("axis-late", share > 0.85);
  return label;
}
