r"""One camera's judgement: detections in, alerts out.

    detections -> Tracker -> BodyScale | Calibration -> Observation -> Grouper -> rules -> Episodes -> alerts
         +------> Carried: things and whose they are --------^
                                                             \-> PairFinder -> (skeletons, by the caller) -/

`step` is one picture. Where a rule looks at pairs the caller does it in two: `track`, a look at the skeletons
of the pairs proposed, `judge`. Without such a rule no pair is ever proposed. Holds no logic of its own but the
order of things and what a new epoch resets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from detector.boxes import feet as feet_of
from detector.calibration import Calibration
from detector.carried import Carried
from detector.episodes import Episodes
from detector.ground import BodyScale, ScaleState
from detector.groups import Grouper, GrouperParams
from detector.pairs import NO_PAIRS, PairFinder, PairSight, Proposed
from detector.rules.base import Rule, View
from detector.rules.handoff import NAME as HANDOFF
from detector.tracker import Tracker, TrackerParams
from detector.types import Alert, Detections, Ground, Kind, Observation, Stamp, Things, Tracks


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of one picture."""

    tracks: Tracks  # people
    observation: Observation  # what the rules saw
    alerts: list[Alert]


@dataclass(frozen=True, slots=True)
class Watched:
    """A picture half judged: who is where, and which pairs deserve a look."""

    observation: Observation
    proposed: Proposed
    alerts: list[Alert]  # of what a new epoch ended


class Scene:
    """The pure part of one camera, owned by one thread.

    A new epoch (reconnect, size change, time jump) closes what is open with `end_reason` "stream interrupted"
    and starts afresh; only a new picture size makes the learned body scale void. A rule's error is not
    caught.
    """

    def __init__(
        self,
        camera_id: str,
        run_id: UUID,
        rules: Sequence[Rule],
        tracker_params: TrackerParams = TrackerParams(),
        calibration: Calibration | None = None,
    ) -> None:
        self._camera_id = camera_id
        self._rules = tuple(rules)
        self._tracker = Tracker(tracker_params)
        self._carried = Carried()
        self._scale = BodyScale()
        self._calibration = calibration
        links = sorted({link for rule in rules for link in rule.links_bh})
        self._groupers = {link: Grouper(GrouperParams(link_bh=link)) for link in links}
        self._pairs = PairFinder() if any(rule.name == HANDOFF for rule in rules) else None
        self._episodes = Episodes(run_id, camera_id, self._rules)
        self._last: Stamp | None = None

    def step(self, stamp: Stamp, detections: Detections) -> Judgement:
        """Judge one picture without skeletons; raises what `track` raises."""
        return self.judge(self.track(stamp, detections))

    def track(self, stamp: Stamp, detections: Detections) -> Watched:
        """See who is where. Raises ValueError for another camera's picture or time that does not grow."""
        alerts = self._begin(stamp)
        tracks = self._tracker.step(stamp, detections[detections.kinds == Kind.PERSON])
        return self._watch(stamp, tracks, detections, alerts)

    def follow(self, stamp: Stamp, tracks: Tracks, objects: Detections | None = None) -> Judgement:
        """Judge one picture whose people were followed elsewhere: stored tracks, another's tracker. As `step`.

        `objects`: what is no person; without them rules about things find nothing.
        """
        return self.judge(self.watch(stamp, tracks, objects))

    def watch(self, stamp: Stamp, tracks: Tracks, objects: Detections | None = None) -> Watched:
        """As `track`, of people who were followed elsewhere; `judge` comes next."""
        return self._watch(stamp, tracks, objects or Detections.empty(), self._begin(stamp))

    def _watch(self, stamp: Stamp, tracks: Tracks, detections: Detections, alerts: list[Alert]) -> Watched:
        tracks = tracks[tracks.kinds == Kind.PERSON]
        things = self._carried.step(stamp, detections, tracks)
        observation = self._observe(stamp, tracks, detections[detections.kinds != Kind.PERSON], things)
        proposed = NO_PAIRS if self._pairs is None else self._pairs.step(observation)
        return Watched(observation, proposed, alerts)

    def judge(self, watched: Watched, pairs: Sequence[PairSight] = ()) -> Judgement:
        """Judge what `track` gave, with what was seen of its pairs; once, before the next picture."""
        observation = watched.observation
        groups = {link: grouper.step(observation) for link, grouper in self._groupers.items()}
        view = View(observation, groups, pairs)
        alerts = watched.alerts + self._episodes.step(
            observation.stamp, [rule.step(view) for rule in self._rules]
        )
        return Judgement(observation.tracks, observation, alerts)

    def learned(self) -> ScaleState | None:
        """Give what was learned of the view; None where nothing was."""
        return self._scale.state()

    def recall(self, state: ScaleState | None) -> None:
        """Go on from what was learned of the view before; None: from nothing."""
        self._scale = BodyScale() if state is None else BodyScale.from_state(state)

    def end(self, reason: str) -> list[Alert]:
        """Close what is open with `end_reason` = reason ("source ended", "service stopped")."""
        return self._episodes.end(reason)

    def _observe(self, stamp: Stamp, tracks: Tracks, objects: Detections, things: Things) -> Observation:
        """Put people on the ground: in metres where that is known, else in body heights."""
        feet, size = feet_of(tracks.boxes, stamp.width, stamp.height), (stamp.width, stamp.height)
        ground: Ground | None = None
        if self._calibration is None:
            self._scale.step(tracks, stamp)
            body_px, gain = self._scale.body_px(feet), self._scale.depth_gain(feet)
        else:
            body_px, gain = self._calibration.body_px(feet, *size), self._calibration.depth_gain(feet, *size)
            ground = self._calibration.place(feet, tracks.velocity, *size)
        return Observation(stamp, tracks, feet, body_px, gain, objects=objects, ground=ground, things=things)

    def _begin(self, stamp: Stamp) -> list[Alert]:
        """Check the stamp; at a new epoch close what is open and forget what was seen."""
        if stamp.camera_id != self._camera_id:
            raise ValueError(f"Scene.step: wanted pictures of {self._camera_id!r}, got {stamp.camera_id!r}")
        last, self._last = self._last, stamp
        if last is None:
            return []
        if last.epoch == stamp.epoch:
            if stamp.t <= last.t:
                raise ValueError(f"Scene.step: wanted t over {last.t} in epoch {stamp.epoch}, got {stamp.t}")
            return []
        alerts = self._episodes.end("stream interrupted")
        self._tracker.reset()
        self._carried.reset()
        for grouper in self._groupers.values():
            grouper.reset()
        if self._pairs is not None:
            self._pairs.reset()
        for rule in self._rules:
            rule.reset()
        return alerts
