"""Resolve arguments: an id or its prefix, a name or label, or a share URL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeVar
from urllib.parse import urlsplit

from guestpass.app.links import SEARCH_LENGTH, LinkSearch
from guestpass.app.paging import LONGEST_PAGE
from guestpass.app.public_urls import read_link_label
from guestpass.cli import output
from guestpass.cli.connection import Backend
from guestpass.cli.session import REFUSED, Stopped
from guestpass.domain.environment import ID_PATTERN
from guestpass.domain.errors import Forbidden
from guestpass.domain.link import folded, holds_words, searchable
from guestpass.web.api.link_models import ShareLinkBody
from guestpass.web.api.models import EnvironmentBody
from guestpass.web.api.record_models import VisitorBody

_SHOWN: Final = 8
_NO_SUCH_URL: Final = (
    "No share link has this URL: it was replaced by a new one, its link was removed, or a part of it is missing."
)

Thing = TypeVar("Thing")
Fits = Callable[[Thing], bool]


async def find_environment(backend: Backend, text: str) -> str:
    """Return the id of the matching environment; raises Stopped unless exactly one matches."""
    wanted = folded(text.strip())
    try:
        environments = (await backend.environments()).environments
    except Forbidden:
        # Without the scope to list environments, only a complete id can be used.
        if ID_PATTERN.fullmatch(text):
            return text
        raise
    found = _best(
        environments,
        lambda each: each.id == wanted,
        lambda each: folded(each.name) == wanted,
        lambda each: bool(wanted) and (each.id.startswith(wanted) or folded(each.name).startswith(wanted)),
        lambda each: bool(wanted) and holds_words(searchable(each.name), searchable(text)),
    )
    if len(found) == 1:
        return found[0].id
    if found:
        raise Stopped(REFUSED, f"{_quoted(text)} can mean {_listed(found)}; write more of it.")
    there = f"known: {_listed(environments)}" if environments else "there is none yet (guestpass env add)"
    raise Stopped(REFUSED, f"There is no environment {_quoted(text)}; {there}.")


async def find_link(backend: Backend, text: str) -> ShareLinkBody:
    """Return the matching link of any environment; raises Stopped unless exactly one matches."""
    if "/share/" in text:
        return await _link_of_url(backend, text)
    wanted = folded(text.strip())
    found = _best(
        await _search(backend, text),
        lambda each: each.id == wanted,
        lambda each: folded(each.label or "") == wanted,
        lambda each: each.id.startswith(wanted) or folded(each.label or "").startswith(wanted),
        lambda each: holds_words(searchable(each.label or ""), searchable(text)),
    )
    if len(found) == 1:
        return found[0]
    if not found:
        raise Stopped(
            REFUSED,
            f"There is no share link {_quoted(text)}: no id or label begins so. `guestpass share list` has all.",
        )
    lines = [f"  {each.id}  {each.environment_id}  {each.label or '-'}" for each in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"  and {len(found) - _SHOWN} more")
    raise Stopped(
        REFUSED, "\n".join([f"{_quoted(text)} can mean each of these; take an id:", *map(output.printable, lines)])
    )


async def find_links(backend: Backend, texts: Sequence[str]) -> list[ShareLinkBody]:
    """Return the matching links without duplicates; raises Stopped as `find_link` does."""
    links = [await find_link(backend, text) for text in texts]
    return list({link.id: link for link in links}.values())


async def find_visitor(backend: Backend, link: ShareLinkBody, text: str) -> VisitorBody:
    """Return a link's visitor by number, id or its prefix; raises Stopped unless exactly one matches.

    Digits are a number: an id may begin with the number of a visitor who isn't there.
    """
    wanted = text.strip().removeprefix("#")
    visitors = [each async for each in all_visitors(backend, link)]
    found = _best(
        visitors,
        lambda each: str(each.number) == wanted,
        lambda each: each.id == wanted,
        lambda each: bool(wanted) and not wanted.isdigit() and each.id.startswith(wanted),
    )
    if len(found) == 1:
        return found[0]
    why = "more than one visitor" if found else "no visitor"
    raise Stopped(
        REFUSED,
        f"The share link {link.id} has {why} {_quoted(text)}; `guestpass visitors list {link.id}` numbers them.",
    )


async def all_links(backend: Backend, search: LinkSearch) -> AsyncIterator[ShareLinkBody]:
    """Yield all links of a search, page after page."""
    while True:
        page = await backend.find_links(search)
        for link in page.share_links:
            yield link
        if page.next_cursor is None:
            return
        search = replace(search, cursor=page.next_cursor)


async def all_visitors(backend: Backend, link: ShareLinkBody) -> AsyncIterator[VisitorBody]:
    """Yield all visitors of a link, last seen first."""
    cursor = None
    while True:
        page = await backend.visitors(link.environment_id, link.id, limit=LONGEST_PAGE, cursor=cursor)
        for visitor in page.visitors:
            yield visitor
        if (cursor := page.next_cursor) is None:
            return


async def _search(backend: Backend, text: str) -> list[ShareLinkBody]:
    """Return candidates; none for an empty text, which would match all."""
    text = text.strip()
    if not text or len(text) > SEARCH_LENGTH:
        return []
    return [link async for link in all_links(backend, LinkSearch(text=text, limit=LONGEST_PAGE))]


async def _link_of_url(backend: Backend, url: str) -> ShareLinkBody:
    """Return the link of a share URL. The token is compared locally and never sent."""
    try:
        parts = urlsplit(url.strip() if "://" in url else f"//{url.strip()}")
    except ValueError:
        raise Stopped(REFUSED, _NO_SUCH_URL) from None
    token = _token(parts.path)
    # With LINK_DOMAIN, hosts of links begin with their id.
    id, _ = read_link_label((parts.hostname or "").partition(".")[0])
    for link in await _search(backend, id):
        if link.id == id:
            if _token(urlsplit(link.url).path) != token:
                output.note(f"guestpass: This URL opens nothing any more: the share link {id} was given a new one.")
            return link
    async for link in all_links(backend, LinkSearch(limit=LONGEST_PAGE)):
        if _token(urlsplit(link.url).path) == token:
            return link
    raise Stopped(REFUSED, _NO_SUCH_URL)


def _token(path: str) -> str:
    return path.partition("/share/")[2].partition("/")[0]


def _best(things: Iterable[Thing], *rungs: Fits[Thing]) -> list[Thing]:
    """Return what fits the first predicate that fits anything."""
    things = list(things)
    return next((found for rung in rungs if (found := [each for each in things if rung(each)])), [])


def _listed(environments: Sequence[EnvironmentBody]) -> str:
    names = [each.id for each in environments[:_SHOWN]]
    if len(environments) > _SHOWN:
        names.append(f"{len(environments) - _SHOWN} more")
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]


def _quoted(text: str) -> str:
    return repr(output.printable(text))
