"""Non-maximum suppression: of boxes that cover one another within a group, the strongest stays. Pure numpy.

Source: greedy NMS as in Girshick et al., Rich feature hierarchies (CVPR 2014), section 2.2.
"""

from __future__ import annotations

import numpy as np

from detector.boxes import iou
from detector.types import F32, I64

MAX_CANDIDATES = 1000  # strongest first; bounds the overlap table to 4 MB whatever the network says


def suppress(boxes: F32, scores: F32, groups: I64, max_iou: float) -> I64:
    """Rows (k,) to keep, strongest first, of boxes (n, 4); boxes of different `groups` (n,) never suppress.

    Equal scores keep their order, so the result is the same on every run.
    """
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    covers = (iou(boxes[order], boxes[order]) > max_iou) & (groups[order, None] == groups[order])
    alive = np.ones(len(order), np.bool_)
    for row in range(len(order)):
        if alive[row]:
            alive[row + 1 :] &= ~covers[row, row + 1 :]
    return order[alive]
