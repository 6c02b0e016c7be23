// Law: what each parameter of a rule means and what more of it does, in a sentence. A rule's own words come before the common ones.

const MEANING = {
  min_people: "People at once. More: fewer, larger incidents.",
  hold_s: "Seconds it must be true before an alert. More: fewer alerts, later.",
  gap_s: "Seconds it may be interrupted without starting anew; less than “must hold for”. More: forgives more missed detections.",
  close_s: "Seconds after its end until the alert closes. More: fewer repeats, later ends.",
  link_bh: "Body heights between neighbours who count as together (1.8 m each where the camera is calibrated). More: looser groups.",
  max_speed_bh_s: "Body heights a second of the group's middle. A faster group is a “moving group”, of lower severity.",
  core_people: "Members who must have been there most of the time. More: changing crowds count less.",
  core_share: "Of the time, 0 to 1, that they must have been there. More: less change allowed.",
  large_factor: "So many times the people needed is one severity higher. More: fewer high alerts.",
  long_s: "Seconds after which it is one severity higher. More: fewer high alerts.",
  grace_s: "Seconds outside the zone that do not end a stay; at most the longest gap.",
  min_pace_bh_s: "Body heights a second from which somebody runs. More: only faster runners.",
  min_against_bh_s: "Body heights a second against the line. More: only brisk walkers.",
  max_angle_deg: "Degrees from straight against the line. Less: only those who go straight against it.",
  direction: "Which crossings count, seen by who walks along the line from its first point.",
  reach_bh: "Body heights within which nobody may be. More: fewer alerts where people pass.",
  min_score: "How sure the detection of the thing must be, 0 to 1. More: fewer mistakes, more misses.",
  min_probability: "How sure the network must be, 0 to 1. More: fewer handshakes, fewer hand-offs.",
  min_px: "Pixels a person must be tall. More: fewer decisions, surer ones.",
  longest_s: "Seconds; hands that stay together longer pass nothing.",
  settle_s: "Seconds after hands parted until it is decided. More: surer, later.",
  counters: "Zones over which things change hands all day, such as a till; what passes there is not told.",
  repeat_s: "Seconds in which the same pair is not told again.",
};

const OF_RULE = {
  "loitering.hold_s": "Seconds one person must be in the zone before an alert. More: fewer alerts, later.",
  "crossing.hold_s": "Seconds on the other side that make a crossing. More: less wobbling told, later alerts.",
  "crossing.close_s": "Seconds after which the alert closes; a crossing has no length of its own.",
  "left_behind.hold_s": "Seconds the bag must be alone before an alert. More: fewer alerts, later.",
  "occupancy.min_people": "People in the zone at once, together or not. More: fewer alerts.",
};

export const meaningOf = (rule, param) => OF_RULE[`${rule}.${param}`] ?? MEANING[param] ?? "";

/** The zones that a rule leaves out: their names, with commas between them in one parameter. */
export const countersOf = ({ params }) => String(params.counters ?? "").split(",").map((name) => name.trim()).filter(Boolean);

/** Values that can be chosen, where a parameter is no number. */
export const CHOICES = {
  direction: [
    ["both", "In both directions"],
    ["to_right", "To its right"],
    ["to_left", "To its left"],
  ],
};

export const RULE_MEANING = {
  gathering: "People who stand close together, stay, and stay themselves.",
  loitering: "One person who stays in a zone.",
  occupancy: "So many people in a zone at once, whoever they are.",
  forbidden: "Anybody in a zone where nobody may be.",
  running: "Somebody who runs.",
  wrong_way: "Somebody who goes against a line's direction.",
  left_behind: "A bag that lies with nobody near.",
  handoff: "A thing that passes from one person to another.",
  crossing: "Somebody who goes over a line.",
};
