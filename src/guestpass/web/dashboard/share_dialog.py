"""Share an environment: ask for what matters, then give what is sent to the visitor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Final

import segno
from babel import Locale
from fastapi import APIRouter, Header, Query
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from guestpass.app.links import OwnedLink
from guestpass.domain.access import Scope
from guestpass.domain.account import Account
from guestpass.domain.environment import Kind
from guestpass.domain.errors import Invalid
from guestpass.domain.link import ShareType
from guestpass.languages.language import LANGUAGES, language_for
from guestpass.web.api.paths import EnvironmentId, LinkId
from guestpass.web.dashboard.forms import Filled, SentForm
from guestpass.web.dashboard.link_forms import (
    CONTROLS,
    PASSWORD_FIELDS,
    SHARE_FIELDS,
    offered_lifetimes,
    read_new_link,
    read_password,
)
from guestpass.web.dashboard.links import link_path
from guestpass.web.dashboard.pages import go, is_partial, render
from guestpass.web.dashboard.services import DashboardServices, Services
from guestpass.web.dashboard.sessions import Changing, Looking, Owner
from guestpass.web.share_messages import ShareMessage, write_link_message, write_password_message


@cache
def language_names() -> dict[str, str]:
    """What each language calls itself; asked for when it is shown, since what is known of all languages takes 6 MB."""
    return {tag: str(Locale(tag).display_name).capitalize() for tag in LANGUAGES}


Accepted = Annotated[str, Header(alias="accept-language")]

router = APIRouter(prefix="/environments/{envId}")
_LINK: Final = "/links/{linkId}"


@dataclass(frozen=True, slots=True)
class Sending:
    """What an owner is given to send: `password` is None where it isn't known, `together` puts it into the message."""

    owned: OwnedLink
    language: str
    password: str | None = None
    together: bool = False

    @property
    def asks_password(self) -> bool:
        """Whether visitors need a password too."""
        return self.owned.link.share_type is ShareType.PASSWORD

    @property
    def message(self) -> ShareMessage:
        """The message with the URL."""
        return write_link_message(
            language_for(self.language),
            self.owned.url,
            self.owned.link.expires_at,
            asks_password=self.asks_password,
            password=self.password if self.together else None,
        )

    @property
    def second_message(self) -> ShareMessage | None:
        """The password's own message; None where there is none to be sent."""
        if self.password is None or self.together:
            return None
        return write_password_message(language_for(self.language), self.password)

    @property
    def code(self) -> Markup:
        """The URL as a QR code: a picture without styles and scripts."""
        picture = segno.make(self.owned.url, error="m", micro=False).svg_inline(
            border=4, omitsize=True, svgclass="qr", lineclass=None
        )
        return Markup(picture)  # noqa: S704 - it holds nothing but numbers


@router.get("/share")
async def show_share(request: Request, owner: Looking, env_id: EnvironmentId, services: Services) -> Response:
    """The form for a new link."""
    form = Filled({"who": ShareType.TOKEN.value, "lifetime": "7d", "password": services.api.links.suggest_password()})
    return await _share(request, owner, env_id, services, form)


@router.post("/share")
async def share(
    request: Request,
    owner: Changing,
    env_id: EnvironmentId,
    services: Services,
    form: SentForm,
    accepted: Accepted = "",
) -> Response:
    """Make the link, and show what to send."""
    try:
        owned = await services.api.links.create(owner.principal, env_id, read_new_link(form))
    except Invalid as refused:
        filled = Filled.refused(form, SHARE_FIELDS, refused.errors)
        return await _share(request, owner, env_id, services, filled, status=422)
    if owned.link.share_type is ShareType.TOKEN and not is_partial(request):
        return go(request, f"{link_path(env_id, owned.link.id)}/send", owner=owner, said="The link is made.")
    # The password is known this once, so it can't be led to another page.
    password = form.raw("password") if owned.link.share_type is ShareType.PASSWORD else None
    return _send(request, Sending(owned, language_for(accepted).tag, password), title="The link is made")


@router.get(f"{_LINK}/send")
async def show_sending(
    request: Request,
    owner: Looking,
    env_id: EnvironmentId,
    link_id: LinkId,
    services: Services,
    language: Annotated[str, Query(max_length=35)] = "",
    accepted: Accepted = "",
) -> Response:
    """What to send for a link that is there already."""
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    return _send(request, Sending(owned, language_for(language or accepted).tag))


@router.post(f"{_LINK}/send")
async def word_message(
    request: Request, owner: Changing, env_id: EnvironmentId, link_id: LinkId, services: Services, form: SentForm
) -> Response:
    """The message in another language, or with the password in it. It changes nothing; a password stands in no URL."""
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    password = form.raw("password") or None
    sending = Sending(owned, language_for(form.text("language")).tag, password, form.checked("together"))
    if is_partial(request):
        return render(request, "share_message.html", sending=sending, languages=language_names())
    return _send(request, sending)


@router.get(f"{_LINK}/password")
async def show_password(
    request: Request, owner: Looking, env_id: EnvironmentId, link_id: LinkId, services: Services
) -> Response:
    """Where a link gets another password, or none."""
    form = Filled({"who": ShareType.PASSWORD.value, "password": services.api.links.suggest_password()})
    return await _password(request, owner, env_id, link_id, services, form)


@router.post(f"{_LINK}/password")
async def change_password(
    request: Request,
    owner: Changing,
    env_id: EnvironmentId,
    link_id: LinkId,
    services: Services,
    form: SentForm,
    accepted: Accepted = "",
) -> Response:
    """Give a link another password, or none, and show what to send."""
    try:
        change = read_password(form)
        owned = await services.api.links.change(owner.principal, env_id, link_id, change)
    except Invalid as refused:
        filled = Filled.refused(form, PASSWORD_FIELDS, refused.errors)
        return await _password(request, owner, env_id, link_id, services, filled, status=422)
    password = form.raw("password") if owned.link.share_type is ShareType.PASSWORD else None
    title = "The password is changed" if password else "The link asks for no password"
    return _send(request, Sending(owned, language_for(accepted).tag, password), title=title)


def send_anew(request: Request, owner: Owner, owned: OwnedLink, accepted: str) -> Response:
    """What to send for a link whose URL is another one now."""
    if not is_partial(request):
        path = f"{link_path(owned.link.environment.id, owned.link.id)}/send"
        return go(request, path, owner=owner, said="The link has a new URL; the old one opens nothing.")
    return _send(request, Sending(owned, language_for(accepted).tag), title="The link has a new URL")


def _send(request: Request, sending: Sending, title: str = "Send the link") -> Response:
    return render(
        request, "send_link.html", sending=sending, owned=sending.owned, heading=title, languages=language_names()
    )


async def _password(
    request: Request,
    owner: Owner,
    env_id: str,
    link_id: str,
    services: DashboardServices,
    form: Filled,
    status: int = 200,
) -> Response:
    owned = await services.api.links.get(owner.principal, env_id, link_id)
    return render(request, "link_password.html", status=status, owned=owned, form=form)


async def _share(
    request: Request, owner: Owner, env_id: str, services: DashboardServices, form: Filled, status: int = 200
) -> Response:
    owner.principal.require(Scope.SHARES_WRITE)
    summary, _ = await services.overview.one(owner.principal, env_id)
    accounts: list[Account] = []
    if summary.environment.kind is Kind.ODOO:
        accounts = await services.api.accounts.list_all(owner.principal, env_id)
    return render(
        request,
        "share.html",
        status=status,
        summary=summary,
        accounts=accounts,
        lifetimes=offered_lifetimes(services.api.links.longest),
        form=form,
        fields=SHARE_FIELDS,
        controls=CONTROLS,
        closed=summary.closed,
    )
