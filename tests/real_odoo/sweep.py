"""Make each call that a view-only link lets through, on every model, and note what is written (`scripts/odoo sweep`).

The visitor is an administrator, so that none of Odoo's own rights stand in for the gateway. Rows are noted by triggers
(`server.py`); the numbers of sequences and the files of the store, which have none, are compared.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from tests.installation import Installation, installation
from tests.odoo.visitor import Visitor, opened
from tests.real_odoo import server
from tests.real_odoo.handle import BOOKKEEPING, RealOdoo, is_bundle

from guestpass.odoo.view_only.actions import OPENED_INSTEAD, READ_ACTIONS
from guestpass.odoo.view_only.buttons import READ_BUTTONS
from guestpass.odoo.view_only.calls import DATA, ROUTES
from guestpass.odoo.view_only.methods import READ_METHODS, READ_METHODS_OF_MODELS

# What wizards are opened for.
_DOCUMENTS: Final = (
    "account.move",
    "calendar.event",
    "crm.lead",
    "product.template",
    "project.project",
    "project.task",
    "res.partner",
    "sale.order",
)
# Of the methods that may be called on every model, those that only some have.
_OF_SOME: Final = frozenset({"has_group", "message_get_followers"})
_RELATIONS: Final = frozenset({"many2many", "many2one", "one2many"})
_VIEWS: Final = ("form", "kanban", "list", "search", "graph", "pivot", "activity")
# Seconds; the views that inherit from one are thousands of queries.
_LONGEST: Final = 600.0
_GROUPED_AT_MOST: Final = 2
_MISSING = re.compile(r"missing \d+ required (?:positional|keyword-only) arguments?: (.*)")

_TOUCHED: Final = " update write_date write_uid"
STATED: Final = frozenset(
    {
        ("account.move.line/onchange", f"account_move{_TOUCHED}"),
        ("account.move.line/onchange", f"account_move_line{_TOUCHED}"),
        ("account.move.line/read", f"account_move{_TOUCHED}"),
        ("account.move.line/read", f"account_move_line{_TOUCHED}"),
        ("account.move.line/web_read", f"account_move{_TOUCHED}"),
        ("account.move.line/web_read", f"account_move_line{_TOUCHED}"),
        ("account.move/onchange", f"account_move{_TOUCHED}"),
        ("account.move/onchange", f"account_move_line{_TOUCHED}"),
        ("base.document.layout/onchange", f"account_move{_TOUCHED}"),
        ("base.document.layout/onchange", f"account_move_line{_TOUCHED}"),
        ("project.project/onchange", f"project_project{_TOUCHED}"),
        ("res.users/onchange", "orm_signaling_default insert"),
    }
)
"""What moves for whoever reads Odoo directly, too, and is stated in docs/security.md: the method, and the row."""

# A value for each name that a method or a route may have for what it takes; what stands nowhere is an empty list.
_SAMPLES: Final[Mapping[str, Any]] = {
    "add_qty": 1,
    "channels": [],
    "combination": [],
    "is_product_configured": False,
    "known_member_ids": [],
    "last": 0,
    "last_notification_id": 0,
    "parent_ptav_ids": [],
    "records": {"res.partner": [1]},
    "category_id": False,
    "channel_id": 1,
    "company_id": 1,
    "counters": ["invoice_count", "lead_count", "opp_count", "order_count", "project_count", "quotation_count"],
    "currency_id": 1,
    "date": "2026-11-29",
    "date_end": "2026-12-01",
    "date_from": "2026-11-01",
    "date_start": "2026-11-01",
    "date_stop": "2026-12-01",
    "date_to": "2026-12-01",
    "domain": [],
    "employee_id": 1,
    "fetch_params": [[kind, {}] for kind in sorted(DATA)],
    "filter_id": 1,
    "filter_name": "website.dynamic_filter_latest_sold_products",
    "follower_id": 1,
    "limit": 20,
    "mods": ["web"],
    "model": "res.partner",
    "options": {"displayDescription": True, "displayDetail": True, "displayExtraLink": True, "displayImage": True},
    "order": "name asc",
    "parent_channel_id": 1,
    "product_id": 1,
    "product_template_id": 1,
    "product_tmpl_id": 1,
    "ptav_ids": [],
    "quantity": 1,
    "request_list": ["activities", "attachments", "followers", "scheduledMessages", "suggestedRecipients"],
    "res_id": 1,
    "res_model": "res.partner",
    "search": "a",
    "search_domain": [],
    "search_type": "all",
    "so_date": "2026-11-29",
    "subordinates_type": "direct",
    "template_key": "website_sale.dynamic_filter_template_product_product_products_item",
    "term": "a",
    "thread_id": 1,
    "thread_model": "res.partner",
}


@dataclass(frozen=True)
class Call:
    """One call, as a person would name it; `about` tells those of one method apart."""

    name: str
    about: str
    path: str
    params: Mapping[str, Any]


@dataclass
class Report:
    """What became of the calls: how many of each outcome, what each wrote, and why each that failed did."""

    version: str
    outcomes: Counter[str] = field(default_factory=Counter)
    moved: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    never_answered: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """The calls that moved something that is stated nowhere."""
        moved = [(name, row) for name, rows in self.moved.items() for row in rows]
        return [f"{name}: {row}" for name, row in moved if (name.partition(" ")[0], row) not in STATED]

    def text(self) -> str:
        """As JSON."""
        return json.dumps(vars(self), indent=1, default=str)


class Ledger:
    """What was written since it was last asked."""

    def __init__(self, instance: server.Instance, connection: psycopg.Connection[Any]) -> None:
        self._store = instance.folder / "data" / "filestore" / instance.database
        self._connection = connection
        self._last = 0
        self._sequences: dict[str, int | None] = {}
        self._files: set[str] = set()
        self.read(files=True)

    def read(self, *, files: bool = False) -> list[str]:
        """Each row as ``table kind columns``, each sequence that went on, and with `files` each file that is new."""
        rows = self._connection.execute(
            "SELECT n, relation, kind, values FROM guestpass.changes WHERE n > %s ORDER BY n", [self._last]
        ).fetchall()
        found = [
            f"{relation} {kind} {' '.join(sorted(_changed(values))) if kind == 'update' else ''}".strip()
            for _, relation, kind, values in rows
            if (relation, kind) not in BOOKKEEPING and not (relation == "ir_attachment" and is_bundle(values))
        ]
        self._last = max([self._last, *(row[0] for row in rows)])
        now = dict(
            self._connection.execute(
                r"SELECT sequencename, last_value FROM pg_sequences WHERE sequencename LIKE 'ir\_sequence\_%'"
            ).fetchall()
        )
        found += [f"{name} goes on" for name in now if now[name] != self._sequences.get(name, now[name])]
        self._sequences = now
        if files:
            there = {str(each) for each in self._store.rglob("*") if each.is_file()}
            found += ["a file" for _ in there - self._files]
            self._files = there
        return list(dict.fromkeys(found))


async def sweep(instance: server.Instance, only: Iterable[str] = (), after: str = "") -> Report:
    """Make all calls, those on the models in `only`, or those on models behind `after` in the order of their names."""
    with server.cluster().connect(instance.database) as connection:
        connection.autocommit = True
        odoo = RealOdoo(instance)
        try:
            async with installation() as running, _looking(running, odoo) as visitor:
                visitor.web.timeout = _LONGEST
                return await _Sweep(instance, visitor, connection, frozenset(only), after).run()
        finally:
            odoo.close()


def _looking(running: Installation, odoo: RealOdoo) -> Any:
    account = {"login": "admin", "password": "admin", "allowAdmin": True}
    return opened(running, odoo, link_fields={"access": "readOnly", "signInAs": account})


class _Sweep:
    def __init__(
        self,
        instance: server.Instance,
        visitor: Visitor,
        connection: psycopg.Connection[Any],
        only: frozenset[str],
        after: str,
    ) -> None:
        self._major = instance.major
        self._visitor = visitor
        self._connection = connection
        self._only = only
        self._after = after
        self._report = Report(instance.version)
        self._ledger = Ledger(instance, connection)
        self._answered: set[str] = set()
        # Methods that this version's models lack.
        self._absent: set[str] = set()
        self._documents: dict[str, int] = {}

    async def run(self) -> Report:
        await self._visitor.navigate("/odoo" if self._major > 17 else "/web")
        # OdooBot says hello to whoever opens the client for the first time.
        self._ledger.read(files=True)
        for method in READ_METHODS - _OF_SOME:
            await self._make(_of("base", method))
            if "does not exist" in self._report.failed.pop(f"base/{method} ", ""):
                self._absent.add(method)
        models = self._connection.execute("SELECT model, transient FROM ir_model ORDER BY model").fetchall()
        for model in _DOCUMENTS:
            ids = await self._ids(model)
            if ids:
                self._documents[model] = ids[0]
        for number, (model, transient) in enumerate(models, 1):
            sys.stderr.write(f"{number} of {len(models)}: {model}\n")
            if model in self._only or (not self._only and model > self._after):
                await self._model(model, transient=transient)
        if not self._only:
            for call in self._others():
                await self._make(call)
        self._report.never_answered = sorted(
            f"{model}/{name}"
            for model, name in READ_METHODS_OF_MODELS | READ_BUTTONS
            if (model in self._only or (not self._only and model in {each for each, _ in models}))
            and f"{model}/{name}" not in self._answered
        )
        return self._report

    async def _model(self, model: str, *, transient: bool) -> None:
        fields = (
            await self._make(_of(model, "fields_get", attributes=["type", "store", "searchable", "selection"])) or {}
        )
        ids = await self._ids(model)
        for call in self._reads(model, fields, ids):
            await self._make(call)
        if ids:
            await self._computed(model, fields, ids)
        await self._forms(model, fields, ids, transient=transient)
        for name in sorted(each for of, each in READ_METHODS_OF_MODELS if of == model):
            await self._make_somehow(model, name, "/web/dataset/call_kw", ids)
        for name in sorted(each for of, each in READ_BUTTONS if of == model):
            await self._make_somehow(model, name, "/web/dataset/call_button", ids)
        self._note(f"{model}/*", self._ledger.read(files=True))

    async def _ids(self, model: str) -> list[int]:
        """The first two records, and the last one."""
        first = await self._make(_of(model, "search", [], limit=2)) or []
        last = await self._make(_of(model, "search", [], limit=1, order="id desc")) or []
        return list(dict.fromkeys(each for each in [*first, *last] if isinstance(each, int)))

    def _reads(self, model: str, fields: Mapping[str, Any], ids: list[int]) -> Iterator[Call]:
        names = sorted(fields)
        plain: dict[str, Any] = {"display_name": {}}
        yield _of(model, "search_count", [])
        yield _of(model, "search_read", [], ["display_name"], limit=3)
        yield _of(model, "web_search_read", domain=[], specification=plain, limit=3)
        yield _of(model, "name_search", "", limit=3)
        yield _of(model, "web_name_search", "a", plain, domain=[], limit=3)
        views = [view if view != "list" or self._major > 17 else "tree" for view in _VIEWS]
        for shown in (views[:4], views[4:]):
            named = [[False, view] for view in shown]
            yield _of(model, "get_views", named, {"toolbar": True, "load_filters": True}, about=shown[0])
        yield _of(model, "check_access_rights", "write", raise_exception=False)
        yield _of(model, "has_access", ids, "write")
        yield _of(model, "check_access_rule", ids, "read")
        if model == "res.users":
            yield _of(model, "has_group", ids if self._major > 17 else "base.group_user", "base.group_user")
        if not ids:
            return
        yield _of(model, "read", ids, names)
        yield _of(model, "name_get", ids)
        yield _of(model, "get_formview_action", ids[:1])
        yield _of(model, "get_formview_id", ids[:1])
        if "message_ids" in fields:
            yield _of(model, "message_get_followers", ids[:1])
        yield _of(model, "hierarchy_read", [], plain, "parent_id", "child_ids")
        yield from self._groups(model, fields)

    async def _computed(self, model: str, fields: Mapping[str, Any], ids: list[int]) -> None:
        """Read and search what code computes: all at once, or one by one where some of it fails."""
        spec = _specification(fields)
        computed = [name for name, each in fields.items() if not each.get("store")]
        await self._halved(
            sorted(fields), lambda some: _of(model, "web_read", ids, {each: spec[each] for each in some})
        )
        asked = [name for name in computed if fields[name].get("searchable")]
        await self._halved(asked, lambda some: _of(model, "search_count", _any_of(some), about="what is computed"))

    async def _halved(self, names: Sequence[str], call: Callable[[Sequence[str]], Call]) -> None:
        """Make a call about all names; where it fails, about half of them, and so on."""
        if names and await self._make(call(names)) is None and len(names) > 1:
            middle = len(names) // 2
            await self._halved(names[:middle], call)
            await self._halved(names[middle:], call)

    def _groups(self, model: str, fields: Mapping[str, Any]) -> Iterator[Call]:
        grouped = [n for n, each in fields.items() if each.get("store") and each["type"] in ("many2one", "selection")]
        for name in grouped[:_GROUPED_AT_MOST]:
            yield _of(model, "read_group", [], ["__count"], [name], about=name)
            given = {"aggregates": ["__count"]} if self._major > 18 else {"fields": ["__count"]}
            yield _of(model, "web_read_group", domain=[], groupby=[name], limit=3, about=name, **given)
            yield _of(model, "formatted_read_group", [], [name], ["__count"], about=name)
            yield _of(model, "formatted_read_grouping_sets", [], [[], [name]], ["__count"], about=name)
            panel = {"enable_counters": True, "expand": True, "limit": 20}
            yield _of(model, "search_panel_select_range", name, about=name, **panel)
            yield _of(model, "search_panel_select_multi_range", name, about=name, **panel)
        bar = {"field": "activity_state", "colors": {"overdue": "danger", "planned": "success", "today": "warning"}}
        if "activity_state" in fields and grouped:
            yield _of(model, "read_progress_bar", [], grouped[0], bar)
        if any(each["type"] == "properties" for each in fields.values()):
            yield _of(model, "get_property_definition", f"{next(iter(fields))}.a")

    async def _forms(self, model: str, fields: Mapping[str, Any], ids: list[int], *, transient: bool) -> None:
        spec = _specification(fields)
        contexts: dict[str, dict[str, Any]] = {"": {}}
        for document, id in self._documents.items() if transient else ():
            active = {"active_model": document, "active_id": id, "active_ids": [id]}
            given = {"model": document, "res_model": document, "res_ids": [id]}
            contexts[document] = {**active, **{f"default_{name}": each for name, each in given.items()}}
        for about, context in contexts.items():
            await self._make(_of(model, "default_get", sorted(fields), about=about, context=context))
            await self._make(_of(model, "onchange", [], {}, [], spec, about=about, context=context))
        changed = {name for name, each in fields.items() if each["type"] not in ("many2many", "one2many", "binary")}
        if not ids:
            return
        stored: dict[str, Any] = {name: {} for name in changed if fields[name].get("store")}
        found = await self._make(_of(model, "web_read", ids[:1], stored, about="what a form holds"))
        if not found:
            return
        values = {name: value for name, value in found[0].items() if name != "id"}
        form = _of(model, "onchange", ids[:1], values, sorted(values), spec, about="each field of a record")
        other = {name: _other(value, fields[name]) for name, value in values.items()}
        await self._make(_of(model, "onchange", ids[:1], other, sorted(other), spec, about="another value of each"))
        if await self._make(form) is None:
            for name in sorted(values):
                await self._make(_of(model, "onchange", ids[:1], values, [name], spec, about=name))

    async def _make_somehow(self, model: str, method: str, route: str, ids: list[int]) -> None:
        """Make a call that takes what only its code knows, which an error of Odoo names."""
        for args in ([ids[:1]], [ids[-1:]], []):
            named: dict[str, Any] = {}
            for _ in range(2):
                path = f"{route}/{model}/{method}"
                params = {"model": model, "method": method, "args": args, "kwargs": named}
                call = Call(f"{model}/{method}", str(args), path, params)
                await self._make(call)
                missing = _MISSING.search(self._report.failed.get(f"{call.name} {call.about}", ""))
                if missing is None:
                    break
                named = {name: _SAMPLES.get(name, []) for name in re.findall(r"'(\w+)'", missing[1])}

    def _others(self) -> Iterator[Call]:
        for name in sorted({*READ_ACTIONS, *OPENED_INSTEAD}):
            module, _, short = name.partition(".")
            found = self._connection.execute(
                "SELECT res_id FROM ir_model_data WHERE module = %s AND name = %s", [module, short]
            ).fetchone()
            if found is not None:
                yield Call(name, "", "/web/action/run", {"action_id": found[0], "context": {}})
                yield Call(name, "breadcrumbs", "/web/action/load_breadcrumbs", {"actions": [{"action": found[0]}]})
        for path in sorted(ROUTES):
            for model, id in self._documents.items():
                of = {"thread_model": model, "thread_id": id, "res_model": model, "res_id": id, "model": model}
                # What the route does not know stays here.
                yield Call(path.decode(), model, path.decode(), {**_SAMPLES, **of, "action_id": 1})

    async def _make(self, call: Call) -> Any:
        """What Odoo answers; None where it is an error, or where no model has the method."""
        if call.name.partition("/")[2] in self._absent:
            return None
        answer = await self._visitor.call(call.path, **call.params)
        moved = self._ledger.read()
        self._note(f"{call.name} {call.about}".strip(), moved)
        key = f"{call.name} {call.about}"
        self._report.failed.pop(key, None)
        try:
            said = answer.json()
        except ValueError:
            said = {"error": {"data": {"message": f"{answer.status_code} {answer.text[:200]}"}}}
        if "error" in said:
            text = str(said["error"].get("data", {}).get("message") or said["error"].get("message"))
            outcome = "refused" if text.startswith("This link is view-only") else "failed"
            self._report.outcomes[outcome] += 1
            if outcome == "failed":
                self._report.failed[key] = text
            return None
        self._report.outcomes["answered"] += 1
        self._answered.add(call.name)
        return said.get("result")

    def _note(self, name: str, moved: list[str]) -> None:
        if moved:
            known = self._report.moved.setdefault(name, [])
            known += [each for each in moved if each not in known]


def _changed(values: Mapping[str, Any]) -> set[str]:
    """The columns that an update changed; who did it is named with the time, be it who did it the last time."""
    return {*values, "write_uid"} if "write_date" in values else set(values)


def _of(model: str, method: str, *args: Any, about: str = "", context: Any = None, **kwargs: Any) -> Call:
    assert method in READ_METHODS, method
    named = {**kwargs, "context": context or {}}
    params = {"model": model, "method": method, "args": list(args), "kwargs": named}
    return Call(f"{model}/{method}", about, f"/web/dataset/call_kw/{model}/{method}", params)


def _other(value: Any, field: Mapping[str, Any]) -> Any:
    """Another value of a field, where one can be told."""
    match field["type"]:
        case "boolean":
            return not value
        case "char" | "text" | "html":
            return f"{value or ''} changed"
        case "float" | "integer" | "monetary":
            return (value or 0) + 1
        case "many2one":
            return 1
        case "selection" if field.get("selection"):
            return next((each for each, _ in field["selection"] if each != value), value)
        case _:
            return value


def _any_of(names: Sequence[str]) -> list[Any]:
    """A domain of what has a value in one of these fields."""
    return ["|"] * (len(names) - 1) + [[name, "!=", False] for name in names]


def _specification(fields: Mapping[str, Any]) -> dict[str, Any]:
    """All fields, with the names of the records that they lead to."""
    named: dict[str, Any] = {"fields": {"display_name": {}}}
    return {name: named if each["type"] in _RELATIONS else {} for name, each in sorted(fields.items())}
