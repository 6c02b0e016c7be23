"""Which decoded pictures may be believed after damage. Pure.

A picture that is broken is shown to nobody's rules, and neither are those that are built on it: from the
damaged or missing packet on until a whole keyframe comes. A stream that has no keyframes (it refreshes a
stripe at a time) is believed again after a while.
"""

from __future__ import annotations

HEALED_S = 10.0  # without a keyframe and without new damage, after which pictures are believed again


class Damage:
    """One epoch's damage. `t` is stream seconds."""

    def __init__(self) -> None:
        self._at_t: float | None = None  # when the newest damaged packet is shown; None: all is whole

    def at(self, t: float) -> None:
        """The packet shown at `t` is damaged, or what it refers to was lost."""
        self._at_t = t if self._at_t is None else max(self._at_t, t)

    def trusts(self, t: float, *, keyframe: bool, corrupt: bool) -> bool:
        """Whether the picture shown at `t` may be judged; called for each in the order of showing."""
        if corrupt:
            self.at(t)
            return False
        # A keyframe that was already inside the decoder when the damage came heals nothing.
        if self._at_t is not None and ((keyframe and t >= self._at_t) or t - self._at_t > HEALED_S):
            self._at_t = None
        return self._at_t is None
