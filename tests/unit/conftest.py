"""Shared by all unit tests: wild inputs are drawn without a clock, since machines differ."""

from hypothesis import HealthCheck, settings

settings.register_profile("unit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")
