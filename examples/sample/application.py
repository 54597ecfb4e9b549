"""The sample's pages: a start page, a guide with relative links, a guest book, a login."""

from __future__ import annotations

import secrets
from collections import OrderedDict, deque
from os import PathLike, stat_result
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import Scope

from examples.sample import live, transfers

USER, PASSWORD = "demo", "demo"
SESSION_COOKIE = "sample_session"
THEME_COOKIE = "sample_theme"
THEMES = ("light", "dark")

_HERE = Path(__file__).parent
_GUIDE = ("first", "second")
_MOST_ENTRIES = 20
_MOST_SESSIONS = 1000
_MOST_FORM_BYTES = 16 * 1024
_MOST_FORM_FIELDS = 16


def create_application(name: str = "Harbour Supplies") -> Starlette:
    """An ASGI application that calls itself `name`, so that two of them can be told apart."""
    pages = Pages(name)
    application = Starlette(
        routes=[
            Route("/", pages.home, name="home"),
            Route("/page", pages.page, name="page"),
            Route("/guide/{chapter}", pages.guide, name="guide"),
            Route("/form", pages.guest_book, methods=["GET"]),
            Route("/form", pages.sign_guest_book, methods=["POST"]),
            Route("/login", pages.login, methods=["GET"]),
            Route("/login", pages.log_in, methods=["POST"]),
            Route("/logout", pages.log_out, methods=["POST"]),
            Route("/theme", pages.choose_theme, methods=["POST"]),
            Route("/redirect/{form}", pages.redirect),
            Route("/worker", pages.worker),
            Route("/worker.js", pages.worker_script),
            Route("/ticks", pages.ticks),
            Route("/upload", pages.upload, methods=["GET"]),
            *transfers.routes(),
            *live.routes(),
            Mount("/static", _PublicFiles(directory=_HERE / "static"), name="static"),
        ],
        exception_handlers={404: pages.not_found},
    )
    application.state.name = name
    return application


class Pages:
    """The pages of one running sample; its sessions and guest book live as long as it does."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.templates = Jinja2Templates(directory=_HERE / "templates")
        self.sessions: OrderedDict[str, str] = OrderedDict()
        self.entries: deque[dict[str, str]] = deque(maxlen=_MOST_ENTRIES)

    def home(self, request: Request) -> Response:
        """The start page, with links of every form."""
        return self._render(request, "home.html")

    def page(self, request: Request) -> Response:
        """One more page."""
        return self._render(request, "page.html")

    def guide(self, request: Request) -> Response:
        """A page one folder down, whose links are relative to itself."""
        chapter = request.path_params["chapter"]
        if chapter not in _GUIDE:
            raise HTTPException(404)
        return self._render(request, "guide.html", chapter=chapter, chapters=_GUIDE)

    def guest_book(self, request: Request) -> Response:
        """What people wrote, newest first, and the form to write more."""
        return self._render(request, "form.html", entries=self.entries)

    async def sign_guest_book(self, request: Request) -> Response:
        """Keep what was sent and answer with a redirect, so that a reload does not send it again."""
        form = await _read_form(request)
        message = form.get("message", "").strip()
        if not message:
            return self._render(request, "form.html", 422, entries=self.entries, error="Please write something.")
        self.entries.appendleft({"name": form.get("name", "").strip()[:80] or "Somebody", "message": message[:500]})
        return RedirectResponse("/form", 303)

    def login(self, request: Request) -> Response:
        """The login page."""
        return self._render(request, "login.html")

    async def log_in(self, request: Request) -> Response:
        """Check name and password; right ones get a session cookie that scripts can't read."""
        form = await _read_form(request)
        if (form.get("name"), form.get("password")) != (USER, PASSWORD):
            return self._render(request, "login.html", 401, error="That name and password do not fit.")
        session = secrets.token_urlsafe(24)
        self.sessions[session] = USER
        if len(self.sessions) > _MOST_SESSIONS:
            self.sessions.popitem(last=False)
        response = RedirectResponse("/", 303)
        response.set_cookie(SESSION_COOKIE, session, max_age=86400, httponly=True, samesite="lax")
        response.set_cookie(THEME_COOKIE, self._theme(request) or "light", max_age=86400 * 365, samesite="lax")
        return response

    def log_out(self, request: Request) -> Response:
        """End the session, here and in the browser."""
        self.sessions.pop(request.cookies.get(SESSION_COOKIE, ""), None)
        response = RedirectResponse("/", 303)
        response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")
        return response

    async def choose_theme(self, request: Request) -> Response:
        """Remember light or dark in a cookie that the page's script reads too."""
        theme = (await _read_form(request)).get("theme")
        if theme not in THEMES:
            return PlainTextResponse(f"theme must be one of {', '.join(THEMES)}\n", 422)
        response = RedirectResponse("/", 303)
        response.set_cookie(THEME_COOKIE, theme, max_age=86400 * 365, samesite="lax")
        return response

    def redirect(self, request: Request) -> Response:
        """A redirect to /page, its Location in one of three forms."""
        forms = {"relative": "../page", "root": "/page", "absolute": str(request.url_for("page"))}
        form = request.path_params["form"]
        if form not in forms:
            raise HTTPException(404)
        return RedirectResponse(forms[form], 302)

    def worker(self, request: Request) -> Response:
        """A page that registers a service worker for the whole origin."""
        return self._render(request, "worker.html")

    def worker_script(self, _request: Request) -> Response:
        """The service worker itself."""
        return FileResponse(
            _HERE / "static" / "worker.js",
            media_type="text/javascript",
            headers={"Service-Worker-Allowed": "/", "Cache-Control": "no-cache"},
        )

    def ticks(self, request: Request) -> Response:
        """A page that shows the WebSocket and the event stream live."""
        return self._render(request, "ticks.html")

    def upload(self, request: Request) -> Response:
        """A page that sends a file and shows what arrived."""
        return self._render(request, "upload.html")

    def not_found(self, request: Request, _error: Exception) -> Response:
        """The page for addresses that lead nowhere."""
        return self._render(request, "missing.html", 404)

    def _theme(self, request: Request) -> str | None:
        theme = request.cookies.get(THEME_COOKIE)
        return theme if theme in THEMES else None

    def _render(self, request: Request, template: str, status: int = 200, **context: object) -> Response:
        return self.templates.TemplateResponse(
            request,
            template,
            {
                "name": self.name,
                "user": self.sessions.get(request.cookies.get(SESSION_COOKIE, "")),
                "theme": self._theme(request),
                **context,
            },
            status,
            headers={"Cache-Control": "no-cache"},
        )


class _PublicFiles(StaticFiles):
    """Files that any cache may keep for an hour."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "public, max-age=3600"
        return response


async def _read_form(request: Request) -> dict[str, str]:
    """The fields of a small urlencoded form; the first of equal names counts."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_FORM_BYTES:
            raise HTTPException(413, "This form takes at most 16 KiB.")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FORM_FIELDS)
    except ValueError:
        raise HTTPException(400, "This is not a form.") from None
    return dict(reversed(pairs))
