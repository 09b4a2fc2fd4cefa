"""Property tests say something of the program, not of how crowded the machine is."""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def test_no_property_waits_on_how_crowded_the_machine_is() -> None:
    ours = settings.default
    assert ours is not None
    assert ours.deadline is None
    assert HealthCheck.too_slow in ours.suppress_health_check
