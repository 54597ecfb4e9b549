"""Which profile an environment has is decided once, and anew when it was changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from tests.storage.samples import make_environment
from tests.unit.gateway.requests import request

from guestpass.app.notices import NoticeRenderer
from guestpass.app.visits import VisitLog
from guestpass.domain.environment import Environment, Kind
from guestpass.gateway.profile import Profile, ProfileMaker, Profiles
from guestpass.wire.heads import RequestHead


class _Profile:
    def __init__(self, environment: Environment, learn: Callable[[bytes], None]) -> None:
        self.environment = environment
        self.learn = learn


class _Maker:
    """Makes profiles, and keeps those that it has made."""

    def __init__(self) -> None:
        self.made: list[Environment] = []
        self.closed = False
        self.notices = cast("NoticeRenderer", object())

    def profile_of(self, environment: Environment, learn: Callable[[bytes], None]) -> Profile:
        self.made.append(environment)
        return cast("Profile", _Profile(environment, learn))

    def notices_for(self, head: RequestHead) -> NoticeRenderer | None:
        del head
        return self.notices

    def close(self) -> None:
        self.closed = True


class _Visits:
    def __init__(self) -> None:
        self.names: list[tuple[object, str]] = []

    def learned(self, key: object, name: str) -> None:
        self.names.append((key, name))


def _profiles() -> tuple[Profiles, _Maker, _Maker, _Visits]:
    web, odoo, visits = _Maker(), _Maker(), _Visits()
    makers: dict[Kind, ProfileMaker] = {Kind.WEB: web, Kind.ODOO: odoo}
    return Profiles(makers, cast("VisitLog", visits), kind_of_gone=Kind.ODOO), web, odoo, visits


def test_a_profile_is_made_once_for_each_environment_by_its_kind() -> None:
    profiles, web, odoo, _ = _profiles()
    one, other = make_environment(kind=Kind.ODOO), make_environment(kind=Kind.WEB)
    first = profiles.of(one)
    assert all(profiles.of(one) is first for _ in range(3))
    profiles.of(other)
    assert (odoo.made, web.made) == ([one], [other])


def test_an_environment_that_was_changed_gets_another_profile() -> None:
    profiles, web, odoo, _ = _profiles()
    before = make_environment(kind=Kind.ODOO)
    after = replace(before, kind=Kind.WEB)
    assert profiles.of(before) is not profiles.of(after)
    assert (odoo.made, web.made) == ([before], [after])


def test_profiles_of_environments_long_gone_are_dropped() -> None:
    profiles, _, odoo, _ = _profiles()
    environments = [make_environment(kind=Kind.ODOO, revision=number) for number in range(15_000)]
    for environment in environments:
        profiles.of(environment)
    profiles.of(environments[-1])
    assert odoo.made == environments
    profiles.of(environments[0])
    assert odoo.made == [*environments, environments[0]]


def test_what_an_environment_sets_http_only_is_learned_for_it() -> None:
    profiles, _, _, visits = _profiles()
    environment = make_environment()
    profiles.of(environment).learn(b"caf\xe9")
    assert visits.names == [(environment.key, "caf\xe9")]


def test_whose_link_is_gone_is_told_as_by_the_kind_for_that() -> None:
    profiles, web, odoo, _ = _profiles()
    head = request("GET /")
    assert profiles.notices_for(None, head) is odoo.notices
    assert profiles.notices_for(make_environment(kind=Kind.WEB), head) is web.notices


def test_all_that_profiles_use_is_let_go() -> None:
    profiles, web, odoo, _ = _profiles()
    profiles.close()
    assert (web.closed, odoo.closed) == (True, True)
