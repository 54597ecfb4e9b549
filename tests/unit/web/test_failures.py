from __future__ import annotations

from fastapi import FastAPI

from guestpass.web import problems
from guestpass.web.dashboard import failures


def test_what_the_api_explains_the_dashboard_explains_too() -> None:
    api, dashboard = FastAPI(), FastAPI()
    problems.install(api)
    failures.install(dashboard)
    assert set(api.exception_handlers) <= set(dashboard.exception_handlers)
