"""Which markers a test has: those of what its module, and the modules of its fixtures, can start.

What starts a browser, an application or a server is decorated with `starts`. A test whose module holds such a function
gets its markers, and so does one with a fixture of such a module. That may be too much and is never too little: the
function refuses to run in a test without the markers.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from types import FunctionType, ModuleType
from typing import Final, ParamSpec, TypeVar

import pytest

P = ParamSpec("P")
R = TypeVar("R")

MARKERS: Final = {
    "browser": "drives Chromium",
    "applications": "needs a program that tests/install_applications.py installs, other than Chromium",
    "slow": "starts a server, or takes more than a second",
}

BY_HAND: Final = {
    "double_only(reason)": "can't be shown on a real Odoo; left out where tests run on one",
    "versions(first, last, double)": "about these versions of Odoo alone; the double, an 18.0, may have it anyway",
    "real_only(reason)": "can't be shown on the double; left out where tests run on it",
}
"""Of the tests of Odoo, which run on either; see `tests/odoo/running.py`."""

# Fixtures with this parameter ask for the server by name, when the test runs.
_OF_POSTGRES: Final = frozenset({"applications", "slow"})

_current: frozenset[str] | None = None


class NotMarkedError(Exception):
    """A test started something that its markers don't tell."""


def starts(*markers: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark the tests that can call the decorated function; raises NotMarkedError in a test without the markers."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def checked(*arguments: P.args, **named: P.kwargs) -> R:
            if _current is not None and not _current.issuperset(markers):
                wanted = " and ".join(markers)
                raise NotMarkedError(f"{function.__qualname__} needs tests that are marked {wanted}: tests/markers.py")
            return function(*arguments, **named)

        checked.markers = frozenset(markers)  # type: ignore[attr-defined]
        return checked

    return decorate


def set_current(markers: Iterable[str] | None) -> None:
    """Note the markers of the test that begins; None outside of tests, where everything may start."""
    global _current  # noqa: PLW0603  # pytest runs one test at a time
    _current = None if markers is None else frozenset(markers)


def markers_of(item: pytest.Function) -> frozenset[str]:
    """The markers of whatever the test and its fixtures can start."""
    modules = {item.module}
    for fixtures in item._fixtureinfo.name2fixturedefs.values():
        modules.update(filter(None, (inspect.getmodule(each.func) for each in fixtures)))
    found = frozenset[str]().union(*map(_markers_of_module, modules))
    given = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return found | _OF_POSTGRES if "postgresql" in [each for each in given if isinstance(each, str)] else found


@functools.cache
def _markers_of_module(module: ModuleType) -> frozenset[str]:
    held = list(vars(module).values())
    held += [each for kind in held if inspect.isclass(kind) for each in vars(kind).values()]
    return frozenset[str]().union(
        *(each.markers for each in held if isinstance(each, FunctionType) and hasattr(each, "markers"))
    )
