"""What takes longer to make than most tests take: made once for each of pytest's processes, as a worker has it made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from guestpass.user_agents import UserAgentReader
from guestpass.web.api.document import Application
from guestpass.web.application import create_application

_UNUSED: list[Application] = []


@contextmanager
def built_application() -> Iterator[Application]:
    """The API and visitors' pages without services, for whoever has it to themselves.

    The next gets the same one, with other services. To write its OpenAPI document takes half a second.
    """
    application = _UNUSED.pop() if _UNUSED else create_application()
    yield application
    application.state.services = None
    _UNUSED.append(application)


@cache
def user_agents() -> UserAgentReader:
    """The reader of user agents; its rules are compiled once."""
    return UserAgentReader()
