// Law: the console's vocabulary: codes of the wire contract and names of facts, as a person says them.
// A name that is not listed is still shown, spelt from its code, with the unit its suffix tells.

import { duration, number, percent } from "./format.js";

export const SEVERITY = { high: "High", medium: "Medium", low: "Low" };
export const SEVERITY_RANK = { high: 2, medium: 1, low: 0 };
export const VERDICT = { true: "True", false: "False", unclear: "Unclear" };
export const REASONS = [
  ["static_object", "Static object"],
  ["shadow_or_weather", "Shadow or weather"],
  ["animal", "Animal"],
  ["normal_behaviour", "Normal behaviour"],
  ["poor_view", "Poor view"],
  ["duplicate", "Duplicate"],
  ["other", "Other, with a note"],
];
export const REASON = Object.fromEntries(REASONS);
export const TARGET_KIND = { webhook: "Webhook", mqtt: "MQTT", email: "E-mail" };
export const OUTCOME = { delivered: "Delivered", failed: "Not reached", refused: "Refused", expired: "Given up", dropped: "Left out" };
export const PHASE = { opened: "Ongoing", updated: "Ongoing", closed: "Ended" };
export const HISTORY = { opened: "Opened", updated: "Changed", closed: "Ended" };
export const DEED = {
  claimed: "Claimed",
  taken_over: "Taken over",
  released: "Released",
  handed_over: "Handed over",
  reopened: "Reopened",
  note: "Note",
  held: "Evidence held",
  hold_ended: "Hold ended",
};
export const AUDIT = {
  login: "Login",
  login_refused: "Login refused",
  logout: "Log-out",
  password: "Password",
  view: "View of evidence",
  download: "Download",
  verdict: "Verdict",
  claim: "Claim",
  take_over: "Take-over",
  release: "Release",
  reopen: "Reopened",
  note: "Note",
  hand_over: "Hand-over",
  take_hand_over: "Hand-over taken",
  reveal: "People revealed",
  hold: "Hold",
  hold_ended: "Hold ended",
  case: "Case",
  deletion: "Deletion",
  configuration: "Configuration",
};
export const CAMERA_STATE = { starting: "Starting", online: "Online", offline: "Offline", stopping: "Stopping", ended: "Ended", removed: "Removed" };

// the word for what keeps a camera from being seen -> what it means, for people
export const TROUBLE = {
  no_route: "The network does not lead there",
  refused: "Nothing answers at its address",
  auth_failed: "It refuses the login",
  not_found: "It has no stream at this address",
  no_video: "No video in what it sends",
  no_data: "Connected, but nothing comes",
  lost: "It ended the connection",
  frozen: "The picture stands still",
  unreadable: "What it sends cannot be read",
  misconfigured: "Its settings are wrong",
  no_worker: "Its worker does not report",
};

const LABELS = {
  n_people: "People",
  n_people_min: "Fewest people",
  n_people_median: "Usual people",
  n_people_max: "Most people",
  n_id_changes: "Track changes",
  dwell_s: "Lasted",
  speed_bh_s: "Speed of the group",
  speed_m_s: "Speed of the group",
  spread_bh: "Spread of the group",
  spread_m: "Spread of the group",
  end_reason: "Why it ended",
  kind: "In which way",
  luma: "Brightness (0-255)",
  likeness: "Likeness to the usual view (0-1)",
  detail_share: "Detail left",
  shift_share: "Displaced by",
  still_s: "Stands still for",
  offline_s: "Without a picture for",
  unjudged_s: "Not judged for",
  dark_luma: "Dark below (brightness)",
  flat_contrast: "Without contrast below",
  blur_share: "Blurred below (detail left)",
  min_likeness: "View lost below (likeness)",
  max_shift_share: "Moved above (displaced by)",
  frozen_s: "Frozen after",
  follows: "Carries on",
  min_people: "People needed",
  core_people: "Who must stay",
  core_share: "Share they must stay",
  hold_s: "Must hold for",
  gap_s: "Longest gap",
  close_s: "Ends after",
  link_bh: "Together within",
  max_speed_bh_s: "Fastest standing group",
  large_factor: "Large from (times needed)",
  long_s: "Long from",
  pace_bh_s: "Speed",
  max_pace_bh_s: "Highest speed",
  min_pace_bh_s: "Running from",
  against_bh_s: "Speed against the way",
  max_against_bh_s: "Highest speed against the way",
  min_against_bh_s: "Wrong way from",
  max_angle_deg: "Against it within",
  grace_s: "Forgiven outside",
  direction: "Direction",
  line: "Line",
  object: "Thing",
  evidence: "Evidence",
  exchange_t: "Handed over at",
  from_t: "Begins at",
  to_t: "Ends at",
  touch_s: "Hands together for",
  nearest_al: "Hands nearest",
  wrists_al: "Distance of the hands",
  probability: "Held for a hand-over (0-1)",
  exchange: "Held for a hand-over (0-1)",
  handshake: "Held for a handshake (0-1)",
  hug: "Held for a hug (0-1)",
  high_five: "Held for a high five (0-1)",
  push_or_punch: "Held for a push or punch (0-1)",
  passing: "Held for passing by (0-1)",
  in_hand_of: "In whose hand (1, 2; 0: lies there)",
  decided_after_s: "Decided after",
  giver: "Giver (track)",
  taker: "Taker (track)",
  min_probability: "Held for a hand-over from",
  min_px: "People at least",
  longest_s: "Hands together at most",
  settle_s: "Decided from, after hands parted",
  repeat_s: "Told again after",
  counters: "Counters left out",
  reach_bh: "Nobody within",
  seen_score: "Seen with score",
  owner_seen: "Its owner was seen",
  min_score: "Least score",
  active: "In force",
  raised: "More urgent",
  shadow: "Runs silently",
  min_probability: "Least probability",
  min_px: "Smallest person",
  longest_s: "Longest touch",
  settle_s: "Decided after",
  repeat_s: "Not told again for",
  severity: "Severity chosen",
};

const EVIDENCE = {
  A: "A: the thing was in one's hand and then in the other's",
  B: "B: the thing was seen on one side only",
};
const DIRECTION = { both: "in both directions", to_right: "to its right", to_left: "to its left" };

// unit suffix -> [what is cut from the name, how a value is written]
const UNITS = [
  ["_bh_s", (v) => `${number(v)} body heights/s`],
  ["_px_s", (v) => `${number(v)} px/s`],
  ["_m_s", (v) => `${number(v)} m/s`],
  ["_al", (v) => `${number(v)} arm lengths`],
  ["_t", (v) => `${number(v)} s of the stream`],
  ["_bh", (v) => `${number(v)} body heights`],
  ["_ms", (v) => `${number(v)} ms`],
  ["_px", (v) => `${number(v)} px`],
  ["_m", (v) => `${number(v)} m`],
  ["_s", (v) => duration(v)],
  ["_deg", (v) => `${number(v)}°`],
  ["_share", (v) => percent(v)],
];

const SHORT_UNITS = { bh: "body heights", "bh/s": "body heights/s", people: "people", 1: "" };

function unitOf(name) {
  return UNITS.find(([suffix]) => name.endsWith(suffix));
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "n_people_max" -> "People, most"; an unknown "foo_bar_s" -> "Foo bar". */
export function factLabel(name) {
  if (LABELS[name]) return LABELS[name];
  const unit = unitOf(name);
  const bare = (unit ? name.slice(0, -unit[0].length) : name).replace(/^n_/, "").replaceAll("_", " ");
  return capital(bare || name);
}

/** A fact's value with its unit. */
export function factValue(name, value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (name === "evidence") return EVIDENCE[value] ?? value;
  if (name === "counters" && !value) return "none";
  if (name === "direction") return DIRECTION[value] ?? value;
  if (typeof value !== "number") return String(value);
  const unit = unitOf(name);
  return unit ? unit[1](value) : number(value);
}

export function unitWords(unit) {
  return SHORT_UNITS[unit] ?? unit;
}

// fact or series -> the parameter it is measured against, and on which side it must be
const LIMITS = {
  n_people: ["min_people", "at least"],
  n_people_median: ["min_people", "at least"],
  dwell_s: ["hold_s", "at least"],
  speed_bh_s: ["max_speed_bh_s", "at most"],
  pace_bh_s: ["min_pace_bh_s", "at least"],
  against_bh_s: ["min_against_bh_s", "at least"],
  seen_score: ["min_score", "at least"],
  probability: ["min_probability", "at least"],
  exchange: ["min_probability", "at least"],
  touch_s: ["longest_s", "at most"],
};

/** The limit of a fact: {words, met} or null. */
export function factLimit(name, value, params) {
  const [param, side] = LIMITS[name] ?? [];
  if (typeof params[param] !== "number" || typeof value !== "number") return null;
  const met = side === "at least" ? value >= params[param] : value <= params[param];
  return { words: `${side} ${param.endsWith("_bh_s") ? number(params[param]) : factValue(param, params[param])}`, met };
}

/** Which side of its threshold a series must be on. */
export function thresholdWords(name) {
  return LIMITS[name]?.[1] ?? "limit";
}

export const ruleName = (rule) => capital(rule.replaceAll(/[-_]/g, " "));

// rule -> what it looks for, from its parameters; any other rule is told by the parameters it shares with these
const ASKS = {
  loitering: () => "one person",
  forbidden: () => "anyone",
  crossing: (p) => factValue("direction", p.direction),
  running: (p) => `from ${factValue("min_pace_bh_s", p.min_pace_bh_s)}`,
  wrong_way: (p) => `against ${p.line}`,
  handoff: (p) => (p.counters ? `not over ${p.counters}` : "anything that changes hands"),
  left_behind: (p) => `a bag without its people within ${factValue("reach_bh", p.reach_bh)}`,
};

/** A rule in force in plain words: "Gathering: at least 3 people for 6 s". */
export function ruleWords({ rule, params }) {
  const parts = [];
  if (rule in ASKS) parts.push(ASKS[rule](params));
  else if ("min_people" in params) parts.push(`at least ${number(params.min_people)} people`);
  if ("hold_s" in params) parts.push(`for ${duration(params.hold_s)}`);
  return `${ruleName(rule)}${parts.length ? `: ${parts.join(" ")}` : ""}`;
}

/** Where and when a rule is in force: " in yard, Sat-Sun". */
export function placeWords({ rule, zone, params }) {
  const place = !zone ? " in the whole picture" : rule === "crossing" ? ` over ${zone}` : ` in ${zone}`;
  return [place, params.active, params.shadow ? "silently" : null].filter(Boolean).join(", ");
}
