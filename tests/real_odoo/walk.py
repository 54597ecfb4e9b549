"""Walk through an Odoo in Chromium, directly and through a view-only link, and compare what stands on each screen.

Both sides are the same user in the same database, one window each. What the direct side finds to press (views, a
filter, a group, the first record, its smart buttons) is pressed there first, then through the link.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from playwright.async_api import Browser, BrowserContext, Error, Page, ViewportSize
from tests.applications.browser import chromium
from tests.installation import Installation, installation
from tests.real_odoo import server

_SCRIPT: Final = (Path(__file__).parent / "walk.js").read_text(encoding="utf-8")
_LOOKING: Final = {"access": "readOnly", "signInAs": {"login": "admin", "password": "admin", "allowAdmin": True}}
_VIEWPORT: Final[ViewportSize] = {"width": 1600, "height": 900}
# What no person asked for: presence, sessions, visits, and bundles that Odoo makes when they are asked for.
_BOOKKEEPING: Final = frozenset(
    {
        "bus_bus",
        "bus_presence",
        "mail_presence",
        "res_device_log",
        "res_users_log",
        "res_users_settings",
        "website_track",
        "website_visitor",
    }
)
_PAGES: Final = ("/", "/shop", "/shop/cart", "/my", "/contactus", "/website/info")
_MOST_PAGES: Final = 60
_LEFT = re.compile("context was destroyed|navigat")
_ORIGIN = re.compile(r"https?://[^/]+")
_NO_PAGE = re.compile(r"/web/|/odoo|logout|report_type|download|/static/|/web$|/website/social/")

Outcome = Literal["shown", "refused", "writes", "differs", "broken"]
"""What became of a screen through the link: the same as directly; a sentence of ours where it only reads, or where it
writes directly, too; something else; or no screen at all (a crash, blank, or never at rest)."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something to press in the client, by its kind in walk.js; one that is not `counted` only leads to others."""

    kind: str
    given: Any = None
    counted: bool = True


@dataclass(slots=True)
class Screen:
    """One screen on both sides, and what moved in the database while each was opened."""

    name: str
    outcome: Outcome
    differences: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    moved_directly: list[str] = field(default_factory=list)
    model: str | None = None

    def __str__(self) -> str:
        said = [*self.differences, *(f"refused: {each}" for each in self.refused), *(f"moved: {e}" for e in self.moved)]
        return "\n    ".join([f"{self.outcome}: {self.name}", *said])


@dataclass(slots=True)
class Walk:
    """What a walk has seen."""

    version: str
    screens: list[Screen] = field(default_factory=list)
    unopened: list[str] = field(default_factory=list)
    """Menus that open nothing in the client directly either, but another window."""
    seconds: float = 0.0

    def count(self) -> dict[str, int]:
        """Screens by their outcome."""
        return dict(Counter(each.outcome for each in self.screens))

    def of(self, outcome: Outcome) -> list[Screen]:
        """The screens with an outcome."""
        return [each for each in self.screens if each.outcome == outcome]

    @property
    def share(self) -> float:
        """Of the screens that only read, how many show what is shown directly."""
        reading = [each for each in self.screens if each.outcome != "writes"]
        return sum(each.outcome == "shown" for each in reading) / max(1, len(reading))

    def __str__(self) -> str:
        counted = ", ".join(f"{number} {outcome}" for outcome, number in self.count().items())
        return (
            f"Odoo {self.version}: {counted}; {self.share:.1%} of what reads is shown; {self.seconds / 60:.0f} minutes"
        )

    def as_json(self) -> dict[str, Any]:
        """All of it, for a file."""
        return {
            "version": self.version,
            "seconds": round(self.seconds),
            "share": round(self.share, 4),
            "outcomes": self.count(),
            "unopened": self.unopened,
            "screens": [asdict(each) for each in self.screens],
        }


class Window:
    """A browser window on one side."""

    def __init__(self, page: Page, origin: str, major: int) -> None:
        self.page = page
        self.origin = origin
        self.client = origin + ("/odoo" if major >= 18 else "/web")
        self.errors: list[str] = []
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())
        page.context.on("page", self._close)

    async def start(self) -> None:
        """Load the web client."""
        await self.page.goto(self.client, timeout=120_000)
        await self.page.wait_for_selector(".o_main_navbar", timeout=120_000)
        await self.ask("settled", 300)

    async def ask(self, name: str, *given: Any) -> Any:
        """The answer of a function of walk.js, on the page that comes next where this one is being left."""
        for _ in range(3):
            try:
                return await self._call(name, *given)
            except Error as error:
                if not _LEFT.search(str(error)):
                    raise
                await self.page.wait_for_load_state("load", timeout=60_000)
        return await self._call(name, *given)

    async def _call(self, name: str, *given: Any) -> Any:
        return await self.page.evaluate("([name, given]) => window.walk[name](...given)", [name, list(given)])

    async def step(self, step: Step) -> dict[str, Any]:
        """Press, and say what stands on the screen then."""
        self.errors.clear()
        try:
            found = NOTHING | dict(await self._call("step", step.kind, step.given))
        except Error as error:
            # Where it has left the client for a page, that is what is to be seen.
            if not _LEFT.search(str(error)):
                return NOTHING | {"failed": str(error)}
            await self.page.wait_for_load_state("load", timeout=60_000)
            quiet = await self.ask("settled")
            found = NOTHING | dict(await self.ask("screen")) | {"quiet": quiet}
        return found | {"errors": list(self.errors)}

    async def look_again(self, found: dict[str, Any]) -> dict[str, Any]:
        """What stands on the screen once nothing was under way for a second."""
        quiet = await self.ask("settled", 1000)
        return found | dict(await self.ask("screen")) | {"quiet": quiet}

    async def visit(self, path: str) -> dict[str, Any]:
        """Open an address."""
        self.errors.clear()
        try:
            answer = await self.page.goto(self.origin + path, timeout=60_000)
        except Error as error:
            # Such as where it redirects to another server.
            return NOTHING | {"failed": str(error)}
        quiet = await self.ask("settled", 250)
        found = dict(await self.ask("screen"))
        status = answer.status if answer else 0
        return NOTHING | found | {"quiet": quiet, "status": status, "errors": list(self.errors)}

    async def is_in_client(self) -> bool:
        """Whether the web client is what the window shows."""
        return bool(await self.ask("inClient"))

    async def _close(self, other: Page) -> None:
        """End a window that a button has opened: what the button's own window shows is compared."""
        if other is not self.page:
            await other.close()


NOTHING: Final[dict[str, Any]] = {
    "kind": "none", "title": "", "headings": [], "counts": {}, "frames": [], "text": "", "dialogs": [],
    "notifications": [], "at": "", "quiet": True, "failed": None, "refusals": [], "errors": [],
}  # fmt: skip


class Walker:
    """Goes through menus and pages on both sides."""

    def __init__(
        self, instance: server.Instance, direct: Window, linked: Window, report: Callable[[Screen], None]
    ) -> None:
        self.instance = instance
        self.direct = direct
        self.linked = linked
        self.walk = Walk(instance.version)
        self._report = report
        self._forms: set[str] = set()
        self._searched: set[str] = set()

    async def go(self, only: str | None = None) -> Walk:
        """Walk through everything whose name has `only` in it."""
        begun = time.monotonic()
        wanted = re.compile(only or "", re.IGNORECASE)
        for window in (self.direct, self.linked):
            await window.start()
        menus = await self.direct.ask("menus")
        actions = set()
        for menu in menus:
            name = f"{menu['app']} / {menu['name']}" if menu["app"] != menu["name"] else menu["name"]
            if menu["actionID"] in actions or not wanted.search(name):
                continue
            actions.add(menu["actionID"])
            try:
                await self._menu(menu, name)
            except Error as error:
                self._add(Screen(name, "broken", [str(error)]))
                for window in (self.direct, self.linked):
                    await window.start()
        if wanted.search("systray"):
            await self._systray()
        if wanted.search("website"):
            await self._pages()
        self.walk.seconds = time.monotonic() - begun
        return self.walk

    async def _menu(self, menu: dict[str, Any], name: str) -> None:
        start = Step("menu", menu["id"])
        opened = await self._both(name, start)
        if opened["failed"]:
            self.walk.unopened.append(name)
        if opened["failed"] or opened["kind"] == "dialog":
            return
        views = [each for each in dict.fromkeys(await self.direct.ask("views")) if each]
        with_records = next((each for each in ("list", "kanban") if each in views), None)
        # Those with records come last, where the search and the record begin.
        for kind in sorted(views, key=lambda each: each == with_records):
            if kind != opened["kind"]:
                await self._both(f"{name} > {kind}", Step("view", kind), back=start)
        to_records = [Step("view", with_records, counted=False)] if with_records else []
        if with_records == opened["kind"] and len(views) > 1:
            await self._both(name, *to_records)
        if await self.direct.ask("has", ".o-mail-DiscussSidebar"):
            rooms = ".o-mail-DiscussSidebarMailbox, .o-mail-Mailbox, .o-mail-DiscussSidebarChannel"
            await self._each(name, rooms, "room", 12)
        if "figures" in opened["counts"]:
            await self._each(name, ".o_search_panel_category_value", "dashboard", 30)
        model = await self.direct.ask("model")
        if await self.direct.ask("has", ".o_searchview_dropdown_toggler") and model not in self._searched:
            self._searched.add(model)
            await self._search(name, start)
            await self._both(name, Step("menu", menu["id"], counted=False), *to_records)
        await self._record(name, [start, *to_records])

    async def _search(self, name: str, start: Step) -> None:
        panel = await self._both(f"{name} > search menu", Step("panel"), back=start)
        if panel["failed"]:
            return
        for kind, items in (("filter", ".o_filter_menu"), ("group", ".o_group_by_menu")):
            if await self.direct.ask("has", f"{items} .dropdown-item:not(.dropdown-toggle)"):
                await self._both(f"{name} > {kind}", Step(kind), back=start)
        if await self.direct.ask("has", ".o_group_header"):
            await self._both(f"{name} > group, unfolded", Step("unfold"), back=start)
        await self._both(f"{name} > search", Step("search", "a"), back=start)

    async def _record(self, name: str, to_records: list[Step]) -> None:
        if not await self.direct.ask("records"):
            return
        form = await self._both(f"{name} > record", Step("open"), back=to_records[0])
        if form["kind"] != "form":
            return
        buttons = await self.direct.ask("stats")
        key = f"{await self.direct.ask('model')} {' '.join(buttons)}"
        if key in self._forms:
            return
        self._forms.add(key)
        for button in buttons:
            await self._both(f"{name} > record > {button}", Step("stat", button), back=to_records[0])
            again = await self._both(name, Step("form", counted=False))
            if again["kind"] != "form":
                await self._both(name, *to_records, Step("open", counted=False))

    async def _each(self, name: str, selector: str, word: str, most: int) -> None:
        for number in range(min(most, await self.direct.ask("has", selector))):
            await self._both(f"{name} > {word} {number + 1}", Step("nth", [selector, number]))

    async def _systray(self) -> None:
        for word, selector in (
            ("messages", ".o_menu_systray i[aria-label='Messages']"),
            ("activities", ".o_menu_systray i[aria-label='Activities']"),
            ("user menu", ".o_user_menu button, .o_user_menu"),
        ):
            await self._both(f"systray > {word}", Step("click", selector))
        await self._both("systray > preferences", Step("click", "[data-menu=settings], [data-menu=preferences]"))

    async def _pages(self) -> None:
        """The website, the shop and the customers' pages, with what they link to."""
        open_paths, seen = list(_PAGES), set(_PAGES)
        while open_paths and len(seen) <= _MOST_PAGES + len(open_paths):
            path = open_paths.pop(0)
            last = self._last_change()
            direct = await self.direct.visit(path)
            moved_directly, last = self._moved(last)
            if direct["failed"]:
                continue
            links = await self.direct.page.evaluate(
                "[...document.querySelectorAll('#wrapwrap a[href]')].map((each) => new URL(each.href))"
                ".filter((each) => each.host === location.host).map((each) => each.pathname + each.search)"
            )
            linked = await self.linked.visit(path)
            moved, _ = self._moved(last)
            screen = judged(f"website {path}", direct, linked, moved, moved_directly)
            if screen.outcome == "differs":
                direct, linked = await self.direct.look_again(direct), await self.linked.look_again(linked)
                screen = judged(f"website {path}", direct, linked, moved, moved_directly)
            self._add(screen)
            kinds = Counter(_kind_of_path(each) for each in seen)
            for each in links:
                if each not in seen and kinds[_kind_of_path(each)] < 3 and _is_reading_path(each):
                    kinds[_kind_of_path(each)] += 1
                    seen.add(each)
                    open_paths.append(each)

    async def _both(self, name: str, *steps: Step, back: Step | None = None) -> dict[str, Any]:
        """Take the steps directly, then through the link; compare what the last one shows; return what is direct."""
        last = self._last_change()
        direct = await self._take(self.direct, steps)
        if steps[-1].kind == "nth":
            # Some time after a room was opened, the client says that it was seen.
            direct = await self.direct.look_again(direct)
        moved_directly, last = self._moved(last)
        linked = await self._take(self.linked, steps)
        moved, _ = self._moved(last)
        if steps[-1].counted and not direct["failed"]:
            model = await self._ask_direct("model")
            screen = judged(name, direct, linked, moved, moved_directly)
            if screen.outcome == "differs":
                # One of them may have been drawn half when it was looked at.
                direct, linked = await self.direct.look_again(direct), await self.linked.look_again(linked)
                screen = judged(name, direct, linked, moved, moved_directly)
            screen.model = model
            self._add(screen)
        for window, found in ((self.direct, direct), (self.linked, linked)):
            if not await window.is_in_client():
                await window.start()
                if back is not None:
                    await window.step(back)
            elif found["dialogs"] or found["notifications"] or found["kind"] == "dialog" or steps[-1].kind == "open":
                await window.ask("shut")
        return direct

    async def _take(self, window: Window, steps: Sequence[Step]) -> dict[str, Any]:
        found = dict(NOTHING)
        for step in steps:
            found = await window.step(step)
            if step.counted is False and (found["dialogs"] or found["kind"] == "dialog") and step is not steps[-1]:
                await window.ask("shut")
        return found

    async def _ask_direct(self, name: str) -> Any:
        return await self.direct.ask(name) if await self.direct.is_in_client() else None

    async def _has(self, selector: str) -> bool:
        return bool(await self.direct.ask("has", selector))

    def _add(self, screen: Screen) -> None:
        self.walk.screens.append(screen)
        self._report(screen)

    def _last_change(self) -> int:
        [[last]] = server.query(self.instance, "SELECT coalesce(max(n), 0) FROM guestpass.changes")
        return int(str(last))

    def _moved(self, since: int) -> tuple[list[str], int]:
        """What moved in the database since a change, but for bookkeeping, and the last change."""
        rows = server.query(
            self.instance,
            "SELECT n, relation, kind, id, values ->> 'url', "
            "array_to_string(ARRAY(SELECT jsonb_object_keys(values)), ' ') "
            f"FROM guestpass.changes WHERE n > {since} ORDER BY n",
        )
        found = [
            f"{kind} {relation} {id}" + (f": {names}" if kind == "update" else "")
            for _, relation, kind, id, url, names in rows
            if relation not in _BOOKKEEPING and not str(url or "").startswith("/web/assets/")
        ]
        return found, max([since, *(int(str(each[0])) for each in rows)])


def judged(
    name: str, direct: dict[str, Any], linked: dict[str, Any], moved: list[str], moved_directly: list[str]
) -> Screen:
    """What became of a screen, from what stood on it on both sides and what moved in the database."""
    refused = [f"{each['path']}: {each['said']}" for each in linked["refusals"]]
    differences = list(_differences(direct, linked))
    said = [each["title"] + ": " + each["text"] for each in linked["dialogs"]] + linked["notifications"]
    is_page = linked.get("status") == 403 and "view-only" in linked["text"]
    says_so = is_page or any("view-only" in each for each in said)
    crashed = any(each["crash"] for each in linked["dialogs"]) and not any(each["crash"] for each in direct["dialogs"])
    outcome: Outcome
    if crashed or (direct["quiet"] and not linked["quiet"]) or (linked["kind"] == "blank" != direct["kind"]):
        outcome = "broken"
    elif says_so:
        outcome = "writes" if moved_directly else "refused"
    elif differences:
        outcome = "differs"
    else:
        outcome = "shown"
    if outcome != "shown":
        differences += [f"said: {each[:300]}" for each in said]
        if linked["failed"]:
            differences.append(f"failed: {linked['failed'][:300]}")
    return Screen(name, outcome, differences, refused, moved, moved_directly)


def _differences(direct: dict[str, Any], linked: dict[str, Any]) -> Iterable[str]:
    for each in ("kind", "status"):
        if direct.get(each) != linked.get(each):
            yield f"{each}: {direct.get(each)} directly, {linked.get(each)} through the link"
    for each in sorted({*direct["counts"], *linked["counts"]}):
        if direct["counts"].get(each, 0) != linked["counts"].get(each, 0):
            yield f"{each}: {direct['counts'].get(each, 0)} directly, {linked['counts'].get(each, 0)} through the link"
    lacking = [each for each in direct["headings"] if each not in linked["headings"]]
    more = [each for each in linked["headings"] if each not in direct["headings"]]
    if lacking or more:
        yield f"headings: {lacking[:8]} directly, {more[:8]} through the link"
    if direct["quiet"] and not linked["quiet"]:
        yield "it does not come to rest through the link"
    if direct["frames"] != linked["frames"]:
        yield f"frames: {direct['frames']} directly, {linked['frames']} through the link"
    for each in _new(direct["errors"], linked["errors"]):
        yield f"console: {each[:300]}"


def _new(before: list[str], after: list[str]) -> list[str]:
    known = {_plain(each) for each in before}
    return [each for each in after if _plain(each) not in known]


def _plain(text: str) -> str:
    return re.sub(r"https?://[^/ ]+|\d+", "", text)


def _kind_of_path(path: str) -> str:
    """/shop/# of /shop/desk-3, so that of a hundred products a few are opened."""
    plain, question, _ = path.partition("?")
    return re.sub(r"/[^/]*\d+(?=/|$)", "/#", plain) + question


def _is_reading_path(path: str) -> bool:
    return not _NO_PAGE.search(path)


async def _direct_context(browser: Browser, instance: server.Instance) -> BrowserContext:
    context = await browser.new_context(viewport=_VIEWPORT)
    page = await context.new_page()
    await page.goto(f"{instance.url}/web/login")
    await page.fill("input[name=login]", "admin")
    await page.fill("input[name=password]", "admin")
    await page.press("input[name=password]", "Enter")
    await page.wait_for_selector(".o_main_navbar", timeout=120_000)
    await page.close()
    return context


async def walk(
    instance: server.Instance,
    report: Callable[[Screen], None],
    *,
    only: str | None = None,
    link_domain: str | None = "localhost",
) -> Walk:
    """Walk through an instance; without `link_domain` the link is on the one address of all links."""
    async with installation(link_domain=link_domain) as running, chromium() as browser:
        link = await _link(running, instance)
        direct = await _direct_context(browser, instance)
        linked = await browser.new_context(viewport=_VIEWPORT)
        for context in (direct, linked):
            await context.add_init_script(_SCRIPT)
        page = await linked.new_page()
        await page.goto(link["url"])
        windows = (
            Window(await direct.new_page(), instance.url, instance.major),
            Window(page, _ORIGIN.match(page.url)[0], instance.major),  # type: ignore[index]
        )
        return await Walker(instance, *windows, report).go(only)


async def _link(running: Installation, instance: server.Instance) -> dict[str, Any]:
    environment = await running.add_environment(
        name="Odoo",
        url=instance.url,
        websocketUrl=instance.websocket_url,
        database=instance.database,
        kind="odoo",
        maxConcurrent=8,
    )
    return await running.create_link(environment["id"], **_LOOKING)
