"""For all tests: no property test fails because the machine is busy.

CI tries the same examples each time, so that a change is judged by what it changed; other runs look for new ones.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "watchpost",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("watchpost")
