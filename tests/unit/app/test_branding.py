from __future__ import annotations

from dataclasses import replace

import pytest
from tests.storage.samples import SetClock
from tests.unit.app.announcer import NotingAnnouncer

from guestpass.app.branding import BrandingService
from guestpass.domain.access import Principal, Scope
from guestpass.domain.branding import CONTACT_LENGTH, LOGO_SIZE, NAME_LENGTH, Branding, Logo
from guestpass.domain.errors import Forbidden, Invalid
from guestpass.storage.database import Database

OLGA, EVA = Principal("olga", "acme"), Principal("eva", "globex")
HARBOUR = Branding(name="Harbour", colour="#2f5bd7", contact="mailto:help@example.com", logo=Logo("image/webp", b"x"))


@pytest.fixture
def service(database: Database, announcer: NotingAnnouncer, clock: SetClock) -> BrandingService:
    return BrandingService(database, announcer, clock)


async def test_an_organisation_has_its_own_and_nothing_at_first(
    service: BrandingService, announcer: NotingAnnouncer
) -> None:
    assert await service.get(OLGA) == Branding()
    assert await service.put(OLGA, HARBOUR) == HARBOUR
    assert await service.get(OLGA) == HARBOUR == await service.of_org("acme")
    assert await service.get(EVA) == Branding()
    assert await service.of_org("globex") is None
    assert announcer.announced == [["branding:acme"]]


async def test_what_is_given_is_tidied(service: BrandingService) -> None:
    kept = await service.put(OLGA, Branding(name=" Harbour ", colour="#2F5BD7", contact=" Room 7 "))
    assert kept == Branding(name="Harbour", colour="#2f5bd7", contact="Room 7")
    assert await service.get(OLGA) == kept


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        (Branding(name="x" * (NAME_LENGTH + 1)), "name", f"at most {NAME_LENGTH} characters"),
        (Branding(name="a\nb"), "name", "one line"),
        (Branding(contact="x" * (CONTACT_LENGTH + 1)), "contact", f"at most {CONTACT_LENGTH} characters"),
        (Branding(contact="a\tb"), "contact", "one line"),
        (Branding(name="\u2800"), "name", "can be seen"),
        (Branding(contact="mailto:nobody"), "contact", "mailto: with one address"),
        (Branding(colour="blue"), "colour", "#rrggbb"),
        (Branding(logo=Logo("image/webp", bytes(LOGO_SIZE + 1))), "logo", f"at most {LOGO_SIZE} bytes"),
    ],
)
async def test_what_can_not_be_is_named_and_nothing_is_kept(
    service: BrandingService, announcer: NotingAnnouncer, wrong: Branding, field: str, words: str
) -> None:
    with pytest.raises(Invalid) as raised:
        await service.put(OLGA, wrong)
    assert [(each.field, words in each.message) for each in raised.value.errors] == [(field, True)]
    assert await service.of_org("acme") is None
    assert announcer.announced == []


async def test_a_change_is_made_of_what_is_there(service: BrandingService, announcer: NotingAnnouncer) -> None:
    await service.put(OLGA, HARBOUR)
    changed = await service.change(OLGA, lambda there: replace(there, colour=None))
    assert changed == replace(HARBOUR, colour=None) == await service.get(OLGA)
    # Who changes nothing tells nobody of it.
    await service.change(OLGA, lambda there: there)
    assert announcer.announced == [["branding:acme"], ["branding:acme"], []]


async def test_without_any_part_nothing_is_kept(service: BrandingService, announcer: NotingAnnouncer) -> None:
    await service.put(OLGA, HARBOUR)
    await service.put(OLGA, Branding(name=" "))
    assert await service.of_org("acme") is None
    await service.put(OLGA, HARBOUR)
    await service.remove(OLGA)
    await service.remove(OLGA)
    assert await service.of_org("acme") is None
    assert announcer.announced == [["branding:acme"]] * 4 + [[]]


async def test_who_may_only_read_changes_nothing(service: BrandingService) -> None:
    reader = replace(OLGA, scopes=frozenset({Scope.ENVIRONMENTS_READ}))
    assert await service.get(reader) == Branding()
    for change in (service.put(reader, HARBOUR), service.change(reader, lambda _: HARBOUR), service.remove(reader)):
        with pytest.raises(Forbidden):
            await change
    with pytest.raises(Forbidden):
        await service.get(replace(OLGA, scopes=frozenset({Scope.SHARES_READ})))
