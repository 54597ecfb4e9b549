from __future__ import annotations

from datetime import timedelta

import pytest
from tests.environment_checks import RecordingCheck
from tests.storage.samples import KEY, CountedEntropy, SetClock, keep, make_environment
from tests.unit.app.announcer import NotingAnnouncer

from guestpass.app.environment_check import CheckReport
from guestpass.app.environments import EnvironmentChange, EnvironmentService
from guestpass.app.findings import Findings
from guestpass.app.ports import Unreachable
from guestpass.app.public_urls import PublicUrls
from guestpass.app.reachability import ROUNDS, Reachability
from guestpass.domain.access import Principal
from guestpass.domain.environment import Environment, EnvironmentKey
from guestpass.domain.finding import Finding
from guestpass.storage.budgets import DatabaseBudget
from guestpass.storage.database import Database

LOST = Finding(code="unreachable", detail="It is gone.", remedy="Start it.")


class PlayedReachability:
    """Says of each environment what a test wants, and notes whom it was asked about."""

    def __init__(self) -> None:
        self.why: dict[str, str] = {}
        self.asked: list[str] = []

    async def why_unreachable(self, environment: Environment) -> str | None:
        self.asked.append(environment.id)
        return self.why.get(environment.id)


class Setting:
    """A watch with everything around it."""

    def __init__(self, database: Database, clock: SetClock, announcer: NotingAnnouncer) -> None:
        self.database = database
        self.clock = clock
        self.reachability_check = PlayedReachability()
        self.checker = RecordingCheck()
        self.environments = EnvironmentService(database, announcer, clock, CountedEntropy(), self.checker)
        self.watch = Reachability(
            database,
            announcer,
            self.reachability_check,
            self.environments,
            DatabaseBudget(database, clock, ROUNDS, "reachability"),
            clock,
        )

    async def known(self, key: EnvironmentKey = KEY) -> Unreachable | None:
        async with self.database.reading() as work:
            return await work.reachabilities.get(key)

    async def changes(self) -> int:
        async with self.database.reading() as work:
            return await work.changes.last()


@pytest.fixture
async def setting(database: Database, clock: SetClock, announcer: NotingAnnouncer) -> Setting:
    await keep(database, make_environment(), make_environment(EnvironmentKey("acme", "theirs")))
    return Setting(database, clock, announcer)


async def test_everything_that_can_be_reached_leaves_no_trace(setting: Setting) -> None:
    await setting.watch.check_all()
    assert sorted(setting.reachability_check.asked) == ["staging", "theirs"]
    assert await setting.known() is None
    assert await setting.changes() == 0


async def test_since_when_and_why_is_kept_from_the_first_failure_on(setting: Setting) -> None:
    began = setting.clock.now()
    setting.reachability_check.why["staging"] = "no connection can be made"
    await setting.watch.check_all()
    setting.clock.advance(timedelta(hours=3))
    setting.reachability_check.why["staging"] = "there was no connection within 10 s"
    await setting.watch.check_all()
    assert await setting.known() == Unreachable(began, "no connection can be made")
    assert await setting.known(EnvironmentKey("acme", "theirs")) is None
    # Open pages hear of it once.
    assert await setting.changes() == 1
    setting.reachability_check.why.clear()
    await setting.watch.check_all()
    assert await setting.known() is None
    assert await setting.changes() == 2


async def test_what_was_found_while_nothing_answered_is_found_anew(setting: Setting) -> None:
    async with setting.database.writing() as work:
        await work.environments.set_findings(KEY, [LOST])
    setting.reachability_check.why["staging"] = "no connection can be made"
    await setting.watch.check_all()
    assert setting.checker.checked == []
    setting.reachability_check.why.clear()
    setting.checker.report = CheckReport(odoo_version="18.0")
    await setting.watch.check_all()
    assert [environment.id for environment in setting.checker.checked] == ["staging"]
    async with setting.database.reading() as work:
        assert await work.environments.findings("default") == {}


async def test_what_came_back_before_the_watch_missed_it_is_found_anew(setting: Setting) -> None:
    """Somebody registers an Odoo and starts it a moment later."""
    async with setting.database.writing() as work:
        await work.environments.set_findings(KEY, [LOST])
    setting.checker.report = CheckReport(odoo_version="18.0")
    await setting.watch.check_all()
    async with setting.database.reading() as work:
        assert await work.environments.findings("default") == {}
    assert [environment.id for environment in setting.checker.checked] == ["staging"]
    await setting.watch.check_all()
    assert len(setting.checker.checked) == 1


async def test_who_asks_what_is_known_hears_that_it_was_lost(setting: Setting) -> None:
    """The finding has no row of its own: it ends with what the watch knows, or as soon as somebody's look succeeds."""
    findings = Findings(setting.database, PublicUrls("https://share.example.com", "links.example.com"))
    async with setting.database.reading() as work:
        environment = await work.environments.get(KEY)
    assert environment is not None
    lost_at = setting.clock.now()
    setting.reachability_check.why["staging"] = "no connection can be made"
    await setting.watch.check_all()
    setting.clock.advance(timedelta(hours=3))
    [finding] = (await findings.of([environment]))[KEY]
    assert (finding.code, finding.at) == ("unreachable", lost_at)
    assert "no connection can be made" in finding.detail
    # What a look found says it already, with its own remedy.
    setting.checker.report = CheckReport(findings=(LOST,))
    await setting.environments.check(Principal("anna"), "staging")
    assert (await findings.of([environment]))[KEY] == (LOST,)
    assert await setting.known() == Unreachable(lost_at, "no connection can be made")
    setting.checker.report = CheckReport(odoo_version="18.0")
    await setting.environments.check(Principal("anna"), "staging")
    assert await setting.known() is None
    assert (await findings.of([environment]))[KEY] == ()


async def test_another_address_begins_anew(setting: Setting) -> None:
    setting.reachability_check.why["staging"] = "no connection can be made"
    await setting.watch.check_all()
    change = EnvironmentChange(url="http://10.0.0.6:8069")
    await setting.environments.change(Principal("olga"), "staging", change)
    assert await setting.known() is None


async def test_what_was_seen_of_an_older_address_is_not_written(setting: Setting) -> None:
    setting.reachability_check.why["staging"] = "no connection can be made"
    before = make_environment()
    await setting.environments.change(Principal("olga"), "staging", EnvironmentChange(url="http://10.0.0.6:8069"))
    await setting.watch.check(before)
    assert await setting.known() is None


async def test_a_round_is_made_once_for_all_workers(database: Database, clock: SetClock) -> None:
    budgets = [DatabaseBudget(database, clock, ROUNDS, "reachability") for _ in range(4)]
    assert [await budget.spend("all") is None for budget in budgets] == [True, False, False, False]
    clock.advance(timedelta(seconds=60))
    assert [await budget.spend("all") is None for budget in budgets] == [True, False, False, False]
