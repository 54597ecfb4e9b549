"""Each route of each surveyed version, and each method that its client calls, has a class that somebody chose.

A survey (`scripts/odoo survey`) says what a version has. The class of each route is asked of the gateway's own rules;
what those name nowhere has to stand in ``surveys/decisions.toml``, with the reason why who may only look is refused it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from tests.real_odoo.classes import Class, method_class, route_class
from tests.real_odoo.survey import SURVEYS, Survey, read_survey

VERSIONS: Final = sorted(SURVEYS.glob("*.json"))
DECISIONS: Final[dict[str, list[dict[str, Any]]]] = tomllib.loads((SURVEYS / "decisions.toml").read_text("utf-8"))


def _patterns(kind: str, name: str) -> list[str]:
    return [pattern for each in DECISIONS[kind] for pattern in each[name]]


ROUTES: Final = _patterns("routes", "paths")
CALLS: Final = _patterns("calls", "methods")


@cache
def survey(file: Path) -> Survey:
    return read_survey(file)


def routes(file: Path) -> Iterator[tuple[str, Class]]:
    for route in survey(file).routes:
        kind, methods = route.get("type", "http"), route.get("methods")
        yield route["path"], route_class(route["path"], kind=kind, methods=methods)


def calls(file: Path) -> Iterator[tuple[str, Class]]:
    for each in survey(file).calls:
        model, _, method = each.partition("/")
        yield each, method_class(model, method)


def decided(name: str, patterns: list[str]) -> list[str]:
    return [pattern for pattern in patterns if name == pattern or fnmatchcase(name, pattern)]


@pytest.mark.parametrize("file", VERSIONS, ids=lambda file: file.stem)
def test_each_route_has_a_class(file: Path) -> None:
    assert survey(file).unread == []
    assert [path for path, found in routes(file) if found == "open" and not decided(path, ROUTES)] == []


@pytest.mark.parametrize("file", VERSIONS, ids=lambda file: file.stem)
def test_each_method_that_the_client_calls_has_a_class(file: Path) -> None:
    assert [name for name, found in calls(file) if found == "open" and not decided(name, CALLS)] == []


def test_no_decision_is_about_nothing() -> None:
    """A route that the gateway opens, or that no version has any more, leaves the list."""
    open_routes = {path for file in VERSIONS for path, found in routes(file) if found == "open"}
    open_calls = {name for file in VERSIONS for name, found in calls(file) if found == "open"}
    assert [each for each in ROUTES if not any(decided(path, [each]) for path in open_routes)] == []
    assert [each for each in CALLS if not any(decided(name, [each]) for name in open_calls)] == []
    assert all(len(each["reason"]) > 20 for group in DECISIONS.values() for each in group)


@pytest.mark.parametrize(
    ("path", "kind", "found"),
    [
        ("/web/database/manager", "http", "blocked"),
        ("/web/reset_password", "http", "signed-in-only"),
        ("/shop/<model('product.template'):product>", "http", "view-only"),
        ("/mail/thread/messages", "json", "view-only"),
        ("/discuss/channel/notify_typing", "json", "quiet"),
        ("/mail/message/post", "json", "open"),
        ("/something/<int:id>/that/<string:nobody>/knows", "http", "open"),
    ],
)
def test_classes_are_those_of_the_gateway(path: str, kind: str, found: Class) -> None:
    assert route_class(path, kind=kind) == found


@pytest.mark.parametrize(
    ("model", "method", "found"),
    [
        ("*", "web_search_read", "view-only"),
        ("*", "nobody_knows_this", "open"),
        ("*", "unlink", "open"),
        ("mail.message", "set_message_done", "quiet"),
        ("res.users.apikeys", "remove", "signed-in-only"),
    ],
)
def test_classes_of_methods_are_those_of_the_gateway(model: str, method: str, found: Class) -> None:
    assert method_class(model, method) == found


def test_a_route_without_a_class_is_noticed() -> None:
    """As it would be for a version that brings a new one."""
    assert decided("/something/new", ROUTES) == []
    assert decided("res.partner/something_new", CALLS) == []
