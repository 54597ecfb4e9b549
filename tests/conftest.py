from __future__ import annotations

from hypothesis import HealthCheck, settings

# A plugin, so that one server and one migration serve every folder that tests against PostgreSQL.
pytest_plugins = ("tests.postgres.databases",)

# How long an example takes says more about the machine's other work than about the code.
settings.register_profile("guestpass", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("guestpass")
