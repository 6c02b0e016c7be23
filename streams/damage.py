"""Which decoded pictures may be believed after damage. Pure.

A picture that is broken is shown to nobody's rules, and neither are those that are built on it: from the
damaged or missing packet on until a whole keyframe comes. A stream that has no keyframes (it refreshes a
stripe at a time) is believed again after a while, one that has them seldom not before the next is long overdue.
"""

from __future__ import annotations

HEALED_S = 10.0  # without a keyframe and without new damage, after which pictures are believed again
_OVERDUE = 2.0  # and at least so many times the longest that the stream's own keyframes were apart


class Damage:
    """One epoch's damage. `t` is stream seconds."""

    def __init__(self, keyframes_s: float = 0.0) -> None:
        """`keyframes_s`: how far keyframes were apart in the epoch before, at most; 0: not known."""
        self.keyframes_s = keyframes_s
        self._key_t: float | None = None  # of the newest keyframe
        self._at_t: float | None = None  # when the newest damaged packet is shown; None: all is whole

    def at(self, t: float) -> None:
        """The packet shown at `t` is damaged, or what it refers to was lost."""
        self._at_t = t if self._at_t is None else max(self._at_t, t)

    def trusts(self, t: float, *, keyframe: bool, corrupt: bool) -> bool:
        """Whether the picture shown at `t` may be judged; called for each in the order of showing."""
        if corrupt:
            self.at(t)
            return False
        if keyframe:
            if self._key_t is not None:
                self.keyframes_s = max(self.keyframes_s, t - self._key_t)
            self._key_t = t
        healed_s = max(HEALED_S, _OVERDUE * self.keyframes_s)
        # A keyframe that was already inside the decoder when the damage came heals nothing.
        if self._at_t is not None and ((keyframe and t >= self._at_t) or t - self._at_t > healed_s):
            self._at_t = None
        return self._at_t is None
