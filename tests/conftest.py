"""For all tests: no property test fails because the machine is busy."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("watchpost", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("watchpost")
