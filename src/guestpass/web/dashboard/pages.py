"""Render pages and parts of pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from jinja2 import DictLoader, Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from guestpass.web.dashboard import cookies
from guestpass.web.dashboard.cookies import Flash
from guestpass.web.dashboard.services import services_of
from guestpass.web.dashboard.sessions import Owner
from guestpass.web.dashboard.static import static_path
from guestpass.web.dashboard.words import FILTERS
from guestpass.web.request_context import RequestContext


@dataclass(frozen=True, slots=True)
class Destination:
    """An entry of the navigation; pages name theirs by `name`."""

    name: str
    label: str
    path: str
    scope: str


NAVIGATION: Final = (
    Destination("environments", "Environments", "/environments", "environments:read"),
    Destination("links", "Links", "/links", "shares:read"),
    Destination("branding", "Branding", "/branding", "environments:read"),
)

_environment: Final = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_environment.filters.update(FILTERS)
_environment.globals.update(static=static_path, navigation=NAVIGATION)
# All are read at import, so that templates of a version installed later aren't mixed with this program. Each is
# compiled at first use: all of them take a quarter of a second and 7 MB.
_files: Final = PackageLoader("guestpass.web", "templates/dashboard")
_environment.loader = DictLoader({name: _files.get_source(_environment, name)[0] for name in _files.list_templates()})


def is_partial(request: Request) -> bool:
    """Whether htmx asks for a part of the page that it shows."""
    return request.headers.get("hx-request") == "true"


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:  # noqa: ANN401 - whatever the template names
    """A page, or a part of one.

    Templates know `owner` (None for nobody), `now`, `flash`, `partial` (htmx asks), `request_id`, and what is given.
    """
    services = services_of(request)
    owner: Owner | None = getattr(request.state, "owner", None)
    flash = (
        cookies.take_flash(request, owner.token, secure=services.secure) if owner and not is_partial(request) else None
    )
    text = _environment.get_template(template).render(
        owner=owner,
        now=services.api.clock.now(),
        flash=flash,
        partial=is_partial(request),
        request_id=RequestContext.of(request.scope).request_id,
        path=request.url.path,
        **values,
    )
    response = HTMLResponse(text, status)
    if flash is not None:
        cookies.drop_flash(response, secure=services.secure)
    return response


def go(request: Request, path: str, *, owner: Owner | None = None, said: str | None = None) -> Response:
    """Lead on to another page (after a change: 303, so that a reload repeats nothing), where `said` is told once.

    `path` is one of ours, or the whole address of a link. Where htmx asked, the browser itself goes there.
    """
    services = services_of(request)
    response: Response
    if is_partial(request):
        response = Response(status_code=204, headers={"HX-Redirect": path})
    else:
        response = RedirectResponse(path, 303)
    if owner is not None and said is not None:
        cookies.set_flash(response, Flash("good", said), owner.token, secure=services.secure)
    return response
