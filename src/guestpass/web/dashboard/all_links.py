"""The links of all environments: found, sorted, and paused or resumed many at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from guestpass.app.links import MANY, SEARCH_LENGTH, LinkSearch
from guestpass.app.live import LINKS
from guestpass.app.ports import LinkSort
from guestpass.domain.access import Scope
from guestpass.domain.durations import parse_duration
from guestpass.domain.environment import Environment
from guestpass.domain.link import Status
from guestpass.web.dashboard.dialogs import done
from guestpass.web.dashboard.forms import SentForm
from guestpass.web.dashboard.links import ON_A_PAGE, Cursor
from guestpass.web.dashboard.pages import is_partial, render
from guestpass.web.dashboard.services import Services
from guestpass.web.dashboard.sessions import Changing, Looking
from guestpass.web.dashboard.words import count

PATH: Final = "/links"
SORTS: Final = {
    LinkSort.CREATED: "Newest first",
    LinkSort.EXPIRES: "Ending first",
    LinkSort.LAST_OPENED: "Opened last",
    LinkSort.VISITS: "Most visits",
    LinkSort.LABEL: "By label",
}

router = APIRouter()


class Soon(StrEnum):
    """What counts as ending soon."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"


SOON: Final = {Soon.DAY: "within 24 hours", Soon.WEEK: "within 7 days", Soon.MONTH: "within 30 days"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The search in the page's query; empty fields don't restrict it."""

    search: str
    environment: str
    state: Status | None
    owner: str
    soon: Soon | None
    sort: LinkSort
    cursor: str | None

    @property
    def is_narrowed(self) -> bool:
        """Whether the search restricts the list."""
        return bool(self.search or self.environment or self.state or self.owner or self.soon)

    @property
    def path(self) -> str:
        """The path of the page with this search."""
        sort = self.sort if self.sort is not LinkSort.CREATED else None
        values = {
            "q": self.search,
            "environment": self.environment,
            "state": self.state,
            "owner": self.owner,
            "soon": self.soon,
            "sort": sort,
            "cursor": self.cursor,
        }
        query = urlencode({name: str(value) for name, value in values.items() if value})
        return f"{PATH}?{query}" if query else PATH

    def at(self, cursor: str | None) -> str:
        """Return the path of the page at a cursor; None for the first page."""
        return replace(self, cursor=cursor).path

    def as_search(self) -> LinkSearch:
        """The same for the use case."""
        return LinkSearch(
            text=self.search or None,
            environment_id=self.environment or None,
            status=self.state,
            created_by=self.owner or None,
            expiring_within=parse_duration(self.soon) if self.soon is not None else None,
            sort=self.sort,
            limit=ON_A_PAGE,
            cursor=self.cursor,
        )


@router.get(PATH)
async def show_all_links(
    request: Request,
    owner: Looking,
    services: Services,
    q: Annotated[str, Query(max_length=SEARCH_LENGTH)] = "",
    environment: Annotated[str, Query(max_length=63)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    made_by: Annotated[str, Query(alias="owner", max_length=200)] = "",
    soon: Annotated[str, Query(max_length=20)] = "",
    sort: LinkSort = LinkSort.CREATED,
    cursor: Cursor = None,
) -> Response:
    """All links that match; where htmx asks, only their table."""
    wanted = Wanted(
        q.strip(),
        environment,
        Status(state) if state in list(Status) else None,
        made_by.strip(),
        Soon(soon) if soon in list(Soon) else None,
        sort,
        cursor,
    )
    found = await services.api.links.find(owner.principal, wanted.as_search())
    environments: list[Environment] = []
    if owner.may(Scope.ENVIRONMENTS_READ):
        environments = await services.api.environments.list_all(owner.principal)
    return render(
        request,
        "links_table.html" if is_partial(request) else "links.html",
        found=found,
        wanted=wanted,
        environments=environments,
        names={each.id: each.name for each in environments},
        sorts=SORTS,
        soons=SOON,
    )


@router.get(f"{PATH}/pause")
@router.get(f"{PATH}/resume")
async def show_many(request: Request, owner: Looking, ids: Annotated[list[str], Query()] = []) -> Response:  # noqa: B006 - FastAPI copies it
    """How many links are about to be paused, or to open again, before it is confirmed."""
    owner.principal.require(Scope.SHARES_WRITE)
    verb = request.url.path.rpartition("/")[2]
    return render(request, "switch_links.html", verb=verb, ids=_chosen(ids))


@router.post(f"{PATH}/pause")
async def pause_many(request: Request, owner: Changing, services: Services, form: SentForm) -> Response:
    """Pause them, in one step."""
    many = await services.api.links.deactivate_many(owner.principal, _chosen(form.all("ids")))
    said = f"{count(len(many.deactivated), 'link is', 'links are')} paused."
    if many.before:
        said += f" {count(len(many.before), 'was', 'were')} paused before."
    if many.not_found:
        said += f" {count(len(many.not_found), 'is', 'are')} no longer there."
    return done(request, owner, said, path=PATH, topics=(LINKS,))


@router.post(f"{PATH}/resume")
async def resume_many(request: Request, owner: Changing, services: Services, form: SentForm) -> Response:
    """Open them again, in one step."""
    many = await services.api.links.activate_many(owner.principal, _chosen(form.all("ids")))
    said = f"{count(len(many.activated), 'link opens', 'links open')} again."
    if many.before:
        said += f" {count(len(many.before), 'was', 'were')} open before."
    if many.refused:
        said += (
            f" {count(len(many.refused), 'has', 'have')} expired, or can't open as they are: resume each on its page."
        )
    if many.not_found:
        said += f" {count(len(many.not_found), 'is', 'are')} no longer there."
    return done(request, owner, said, path=PATH, topics=(LINKS,))


def _chosen(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(ids))[: MANY + 1]
