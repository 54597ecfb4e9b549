"""Manage an organisation's branding of visitors' pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from guestpass.app.ports import Announcer, ChangeKind, Clock, Store
from guestpass.app.turns import owner
from guestpass.domain.access import Principal, Scope
from guestpass.domain.branding import (
    COLOUR_PATTERN,
    CONTACT_LENGTH,
    LOGO_SIZE,
    NAME_LENGTH,
    Branding,
    read_contact,
)
from guestpass.domain.errors import FieldError, Invalid
from guestpass.domain.text import check_readable


class BrandingService:
    """The use cases around branding; every call acts for a principal within its organisation."""

    def __init__(self, store: Store, announcer: Announcer, clock: Clock) -> None:
        self._store = store
        self._announcer = announcer
        self._clock = clock

    async def get(self, principal: Principal) -> Branding:
        """The organisation's branding; one without any part where nothing was set."""
        principal.require(Scope.ENVIRONMENTS_READ)
        return await self.of_org(principal.org) or Branding()

    async def of_org(self, org: str) -> Branding | None:
        """What an organisation's visitors see; None where nothing was set."""
        async with self._store.reading() as work:
            return await work.brandings.get(org)

    async def put(self, principal: Principal, branding: Branding) -> Branding:
        """Replace the branding and return it as stored; raises Invalid with each wrong field.

        Visitors see it on the next page that they are shown.
        """
        principal.require(Scope.ENVIRONMENTS_WRITE)
        _check(_tidied(branding))
        return await self.change(principal, lambda _: branding)

    async def change(self, principal: Principal, make: Callable[[Branding], Branding]) -> Branding:
        """Update the branding by a function of the present one, in one transaction; otherwise as `put`."""
        principal.require(Scope.ENVIRONMENTS_WRITE)
        async with self._store.writing(owner(principal)) as work:
            before = await work.brandings.get(principal.org) or Branding()
            after = _tidied(make(before))
            _check(after)
            if after != before:
                if after == Branding():
                    await work.brandings.remove(principal.org)
                else:
                    await work.brandings.put(principal.org, after, at=self._clock.now(), by=principal.sub)
                await work.changes.append(ChangeKind.BRANDING, principal.org)
        await self._announcer.announce()
        return after

    async def remove(self, principal: Principal) -> None:
        """Remove the branding: visitors see the default pages again."""
        principal.require(Scope.ENVIRONMENTS_WRITE)
        async with self._store.writing(owner(principal)) as work:
            if await work.brandings.remove(principal.org):
                await work.changes.append(ChangeKind.BRANDING, principal.org)
        await self._announcer.announce()


def _tidied(branding: Branding) -> Branding:
    return replace(
        branding,
        name=(branding.name or "").strip() or None,
        colour=(branding.colour or "").lower() or None,
        contact=(branding.contact or "").strip() or None,
    )


def _flaw_of(text: str) -> str | None:
    try:
        check_readable(text)
    except ValueError as error:
        return str(error)
    return None


def _check(branding: Branding) -> None:
    errors = []
    for field, text, length in (("name", branding.name, NAME_LENGTH), ("contact", branding.contact, CONTACT_LENGTH)):
        if text is None:
            continue
        if len(text) > length:
            errors.append(FieldError(field, f"must be at most {length} characters"))
        elif not text.isprintable():
            errors.append(FieldError(field, "must be one line without control characters"))
        elif (flaw := _flaw_of(text)) is not None:
            errors.append(FieldError(field, flaw))
        elif field == "contact" and read_contact(text) is None:
            errors.append(
                FieldError(
                    field,
                    "must be plain text, mailto: with one address (mailto:help@example.com) or tel: with one number "
                    "(tel:+49401234567)",
                )
            )
    if branding.colour is not None and not COLOUR_PATTERN.fullmatch(branding.colour):
        errors.append(FieldError("colour", "must be #rrggbb, such as #2f5bd7"))
    if branding.logo is not None and len(branding.logo.content) > LOGO_SIZE:
        errors.append(FieldError("logo", f"must be at most {LOGO_SIZE} bytes once it was made to fit"))
    if errors:
        raise Invalid(errors)
