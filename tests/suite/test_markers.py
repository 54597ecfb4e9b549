"""The markers tell the truth: what a test can start, it is marked with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.applications.browser import chromium
from tests.applications.tryton import running_tryton
from tests.installation import installation
from tests.markers import MARKERS, NotMarkedError, set_current


@pytest.fixture
def unmarked(request: pytest.FixtureRequest) -> Iterator[None]:
    """The test has lost its markers until it ends."""
    set_current(())
    yield
    set_current(each.name for each in request.node.iter_markers())


@pytest.mark.usefixtures("unmarked")
def test_what_starts_something_refuses_in_a_test_without_its_marker(tmp_path: Path) -> None:
    for start in (chromium, installation, lambda: running_tryton(tmp_path)):
        with pytest.raises(NotMarkedError, match="marked"):
            start()


def test_what_a_module_can_start_its_tests_are_marked_with(request: pytest.FixtureRequest) -> None:
    assert {each.name for each in request.node.iter_markers()} >= set(MARKERS)


def test_what_a_fixtures_module_can_start_a_test_is_marked_with(request: pytest.FixtureRequest) -> None:
    """Of all tests that were collected with this one."""
    for item in request.session.items:
        markers = {each.name for each in item.iter_markers()}
        fixtures = set(getattr(item, "fixturenames", ()))
        folder, *_ = item.path.relative_to(Path(__file__).parents[1]).parts
        if "browser" in fixtures or "in_a_browser" in item.path.name:
            assert "browser" in markers, item.nodeid
        # A URL of PostgreSQL is a parameter too, and starts nothing.
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if "tryton" in fixtures or "postgres_databases" in fixtures or "postgresql" in parameters:
            assert "applications" in markers, item.nodeid
        if folder in {"gateway", "links", "odoo", "stories", "supervisor"} and "server" in fixtures:
            assert "slow" in markers, item.nodeid
        if folder == "unit":
            assert not markers & {"browser", "applications"}, item.nodeid
