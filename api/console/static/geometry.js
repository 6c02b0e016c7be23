// Law: what is wrong with a drawn place, in the words of detector/zones.py and detector/lines.py (tests/console compares the two). Pure.

import { countersOf } from "./param_words.js";

const MAX_CORNERS = 64;
const MIN_AREA = 1e-6;
const ON_LINE = 1e-12;
const MIN_LENGTH = 0.005;

/** A number as Python's "g" writes it. */
function g(x) {
  if (x === 0 || Math.abs(x) >= 1e-4) return String(Number(x.toPrecision(6)));
  const [digits, power] = x.toExponential(5).split("e-");
  return `${Number(digits)}e-${power.padStart(2, "0")}`;
}

const edgeWords = ([a, b]) => `(${g(a[0])}, ${g(a[1])})-(${g(b[0])}, ${g(b[1])})`;
const NAMED = { "\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\\\" };

/** A text as Python's repr writes it. */
function quoted(name) {
  const mark = name.includes("'") && !name.includes('"') ? '"' : "'";
  const escaped = [...name].map((c) => {
    if (NAMED[c] || c === mark) return NAMED[c] ?? `\\${c}`;
    if (c === " " || !/[\p{C}\p{Z}]/u.test(c)) return c;
    const code = c.codePointAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
  });
  return `${mark}${escaped.join("")}${mark}`;
}

function words(where, what, wanted, got) {
  return `${where}: ${what} (wanted ${wanted}, got ${got})`;
}

function nameProblem(what, name) {
  if (name.trim() && name.length <= 100 && !/[\p{C}\p{Z}]/u.test(name.replaceAll(" ", ""))) return "";
  return words(what, `bad ${what} name`, "1-100 printable characters", quoted(name));
}

function turn(a, b, c) {
  const cross = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
  return Math.abs(cross) <= ON_LINE ? 0 : Math.sign(cross);
}

function within(a, b, c) {
  return [0, 1].every((k) => Math.min(a[k], b[k]) <= c[k] && c[k] <= Math.max(a[k], b[k]));
}

function meet(a, b, c, d) {
  const turns = [turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b)];
  if (turns[0] * turns[1] < 0 && turns[2] * turns[3] < 0) return true;
  const ends = [[a, b, c], [a, b, d], [c, d, a], [c, d, b]];
  return turns.some((side, i) => side === 0 && within(...ends[i]));
}

const same = (p, q) => p[0] === q[0] && p[1] === q[1];

function fold(a, b, c, d) {
  const [shared, one, two] = same(b, c) ? [b, a, d] : [a, b, c];
  const dot = (one[0] - shared[0]) * (two[0] - shared[0]) + (one[1] - shared[1]) * (two[1] - shared[1]);
  return turn(shared, one, two) === 0 && dot > 0;
}

function edgeProblem(where, ring) {
  const n = ring.length;
  const edges = ring.map((corner, i) => [corner, ring[(i + 1) % n]]);
  for (let i = 0; i < n; i += 1) {
    for (let j = i + 1; j < n; j += 1) {
      const follows = j === i + 1 || (j + 1) % n === i;
      if (!(follows ? fold : meet)(...edges[i], ...edges[j])) continue;
      return words(where, "edges that cross, touch or fold back", "a simple polygon", `edge ${i + 1} ${edgeWords(edges[i])} meets edge ${j + 1} ${edgeWords(edges[j])}`);
    }
  }
  const area = Math.abs(ring.reduce((sum, [x, y], k) => sum + ring.at(k - 1)[0] * y - x * ring.at(k - 1)[1], 0)) / 2;
  return area < MIN_AREA ? words(where, "no area", `at least ${g(MIN_AREA)} of the picture`, g(area)) : "";
}

/** What is wrong with a zone or a mask; "" when nothing is. */
export function areaProblem({ name, polygon }) {
  const bad = nameProblem("zone", name);
  if (bad) return bad;
  const where = `zone ${quoted(name)}`;
  const ring = polygon.length > 1 && same(polygon[0], polygon.at(-1)) ? polygon.slice(0, -1) : polygon;
  for (let i = 0; i < ring.length; i += 1) {
    const first = ring.findIndex((corner) => same(corner, ring[i]));
    if (first < i) return words(where, "repeated corner", "corners that differ", `corner ${i + 1} equal to corner ${first + 1}, (${g(ring[i][0])}, ${g(ring[i][1])})`);
  }
  if (ring.length < 3 || ring.length > MAX_CORNERS) return words(where, "bad number of corners", `3-${MAX_CORNERS} different ones`, String(ring.length));
  return edgeProblem(where, ring);
}

const pair = ([x, y]) => `(${[x, y].map((v) => (Number.isInteger(v) ? `${v}.0` : String(v))).join(", ")})`;

/** What is wrong with a line; "" when nothing is. */
export function lineProblem({ name, points }) {
  const bad = nameProblem("line", name);
  if (bad) return bad;
  const [a, b] = points;
  if (Math.hypot(a[0] - b[0], a[1] - b[1]) >= MIN_LENGTH) return "";
  return words(`line ${quoted(name)}`, "too short", `points at least ${MIN_LENGTH} of the picture apart`, `${pair(a)} and ${pair(b)}`);
}

const taken = (what, name) => words(what, "this name is taken", "a name of its own", quoted(name));

/** Everything that is wrong with a configuration's places and what rules say of them: [{kind, index, text}]. */
export function problemsOf({ zones, lines, masks, rules }) {
  const found = [];
  const say = (kind, index, text) => text && found.push({ kind, index, text });
  const earlier = (list, i) => list.slice(0, i).some((one) => one.name === list[i].name);
  zones.forEach((zone, i) => say("zones", i, areaProblem(zone) || (earlier(zones, i) ? taken("zone", zone.name) : "")));
  masks.forEach((mask, i) => say("masks", i, areaProblem(mask) || (earlier(masks, i) ? taken("mask", mask.name) : "")));
  lines.forEach((line, i) => say("lines", i, lineProblem(line) || (earlier(lines, i) || zones.some((z) => z.name === line.name) ? taken("line", line.name) : "")));
  rules.forEach((rule, i) => {
    const named = [["zone", rule.zone, zones], ["line", rule.line, lines], ...countersOf(rule).map((name) => ["zone", name, zones])];
    for (const [what, name, list] of named) {
      if (!name || list.some((one) => one.name === name)) continue;
      const known = list.map((one) => one.name).sort().join(", ");
      say("rules", i, words(`rule ${i + 1}, ${rule.rule}`, `no such ${what} on this camera`, known || `a ${what} of that name`, quoted(name)));
    }
  });
  return found;
}
