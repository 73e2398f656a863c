"""A law holds or does not; neither luck nor a busy machine may decide what `make test` says."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fixed", untimed, derandomize=True)
settings.register_profile("search", untimed, max_examples=1000, print_blob=True)
settings.load_profile("fixed")
