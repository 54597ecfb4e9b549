"""Model methods as `call_kw` runs them: what may be called at all, and the methods that read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.doubles.odoo import rights
from tests.doubles.odoo.sessions import Session
from tests.doubles.odoo.store import (
    AccessRefused,
    Author,
    Database,
    Domain,
    NoSuchMethod,
    NoSuchModel,
    OdooError,
    Ran,
    Record,
)
from tests.doubles.odoo.users import USER, User


@dataclass
class Call:
    """One call of a model's method by a user; `session` is None where a program calls with a password."""

    db: Database
    user: User
    route: str
    model: str
    method: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    session: Session | None = None

    @property
    def author(self) -> Author:
        """Whom the log names for what this call writes."""
        return Author(self.user, self.route, self.method)

    def argument(self, position: int, name: str, default: Any) -> Any:
        """An argument that may come by position or by name."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(name, default)

    @property
    def ids(self) -> list[int]:
        """The records that the method is called on."""
        first = self.args[0] if self.args else []
        return [first] if isinstance(first, int) else list(first)

    @property
    def context(self) -> dict[str, Any]:
        """The context that came along."""
        return dict(self.kwargs.get("context") or {})

    def browse(self, operation: str = rights.READ, ids: Iterable[int] | None = None) -> list[Record]:
        """Records of this model, by default those called on, that the user may do this with."""
        wanted = self.ids if ids is None else ids
        return rights.browse(self.db, self.user, self.model, wanted, operation)

    def search(self, domain: Domain) -> list[Record]:
        """The records that a domain selects out of those that the user may see."""
        rights.check(self.user, self.model, rights.READ)
        return rights.within_rules(self.user, self.model, self.db.search(self.model, domain))

    def create(self, values: Record) -> int:
        """A record more."""
        rights.check(self.user, self.model, rights.CREATE)
        id = self.db.create(self.author, self.model, values)
        self._pass_address_on([id], values)
        return id

    def write(self, ids: Iterable[int], values: Record) -> None:
        """Other values in some records."""
        changed = [each["id"] for each in self.browse(rights.WRITE, ids)]
        self.db.write(self.author, self.model, changed, values)
        self._pass_address_on(changed, values)

    def _pass_address_on(self, ids: Iterable[int], values: Record) -> None:
        """A lead's address becomes its customer's."""
        if self.model != "crm.lead" or "email_from" not in values:
            return
        for lead in self.db.browse(self.model, ids):
            if lead.get("partner_id"):
                self.db.write(self.author, "res.partner", [lead["partner_id"]], {"email": values["email_from"]})


Method = Callable[[Call], Any]
# Which versions have a method, where not all do.
_IN_VERSIONS = {
    "formatted_read_group": range(19, 100),
    "has_access": range(18, 100),
    "name_get": range(18),
    "web_name_search": range(19, 100),
    "web_read": range(17, 100),
    "web_resequence": range(19, 100),
    "web_save_multi": range(19, 100),
}
_FOR_ALL: dict[str, Method] = {}
_OF_MODEL: dict[tuple[str, str], Method] = {}


def method(*names: str, of: str | None = None) -> Callable[[Method], Method]:
    """Register a method under these names, for all models or for one."""

    def register(action: Method) -> Method:
        for name in names:
            if of is None:
                _FOR_ALL[name] = action
            else:
                _OF_MODEL[of, name] = action
        return action

    return register


def general(name: str) -> Method:
    """What a model inherits under that name."""
    return _FOR_ALL[name]


def run(call: Call) -> Any:
    """Run the method, and note that it was called; raises OdooError and what the method itself raises."""
    outcome = "done"
    try:
        return _run(call)
    except Exception as error:
        outcome = error.name if isinstance(error, OdooError) else type(error).__name__
        raise
    finally:
        call.db.ran.append(Ran(call.db.name, call.model, call.method, call.user.login, call.route, outcome))


def _run(call: Call) -> Any:
    model, name = call.model, call.method
    if model not in call.db.records:
        raise NoSuchModel(f"'{model}'")
    if name.startswith("_") or name == "init":
        raise AccessRefused(f"Private methods (such as '{model}.{name}') cannot be called remotely.")
    action = _OF_MODEL.get((model, name)) or _FOR_ALL.get(name)
    if call.db.major not in _IN_VERSIONS.get(name, range(100)):
        action = None
    if action is None:
        raise NoSuchMethod(f"The method '{model}.{name}' does not exist")
    with call.db.lock:
        return action(call)


def shown(record: Record, names: Iterable[str] | None) -> Record:
    """The fields that were asked for; all of them where none were named."""
    if not names:
        return dict(record)
    return {"id": record["id"], **{name: record.get(name, False) for name in names if name != "id"}}


def _page(records: list[Record], kwargs: dict[str, Any]) -> list[Record]:
    start = int(kwargs.get("offset") or 0)
    limit = kwargs.get("limit")
    return records[start : start + int(limit)] if limit else records[start:]


def _found(call: Call) -> list[Record]:
    return call.search(call.argument(0, "domain", []))


@method("read")
def _read(call: Call) -> Any:
    return [shown(record, call.argument(1, "fields", None)) for record in call.browse()]


@method("web_read")
def _web_read(call: Call) -> Any:
    return [shown(record, call.argument(1, "specification", None)) for record in call.browse()]


@method("search")
def _search(call: Call) -> Any:
    return [each["id"] for each in _page(_found(call), call.kwargs)]


@method("search_count")
def _search_count(call: Call) -> Any:
    return len(_found(call))


@method("search_read")
def _search_read(call: Call) -> Any:
    return [shown(record, call.argument(1, "fields", None)) for record in _page(_found(call), call.kwargs)]


@method("web_search_read")
def _web_search_read(call: Call) -> Any:
    # The replay of the measurements, whose calls are known by their size alone, names nothing.
    if call.kwargs and not call.args and "domain" not in call.kwargs:
        raise TypeError("web_search_read() missing 1 required positional argument: 'domain'")
    found = _found(call)
    names = call.argument(1, "specification", None)
    return {"length": len(found), "records": [shown(record, names) for record in _page(found, call.kwargs)]}


def _named(call: Call) -> list[Record]:
    wanted = str(call.argument(0, "name", "")).lower()
    domain = call.kwargs.get("domain") or call.argument(1, "args", []) or []
    found = call.search(domain if isinstance(domain, list) else [])
    return [each for each in found if wanted in str(each.get("name", "")).lower()]


@method("name_search")
def _name_search(call: Call) -> Any:
    return [[each["id"], each["name"]] for each in _page(_named(call), call.kwargs)]


@method("web_name_search")
def _web_name_search(call: Call) -> Any:
    return [{"id": each["id"], "display_name": each["name"]} for each in _page(_named(call), call.kwargs)]


@method("name_get")
def _name_get(call: Call) -> Any:
    return [[each["id"], each["name"]] for each in call.browse()]


def _groups(call: Call, position: int) -> list[Record]:
    wanted = call.argument(position, "groupby", None) or ["stage_id"]
    name = str(wanted if isinstance(wanted, str) else wanted[0]).partition(":")[0]
    counts: dict[Any, int] = {}
    for record in _found(call):
        key = record.get(name, False)
        counts[key] = counts.get(key, 0) + 1
    return [{name: key, f"{name}_count": count, "__domain": [[name, "=", key]]} for key, count in counts.items()]


@method("read_group")
def _read_group(call: Call) -> Any:
    return _groups(call, 2)


@method("web_read_group")
def _web_read_group(call: Call) -> Any:
    groups = [{key: value for key, value in each.items() if key != "__domain"} for each in _groups(call, 2)]
    return {"groups": groups, "length": len(groups)}


@method("formatted_read_group")
def _formatted_read_group(call: Call) -> Any:
    return [{**each, "__extra_domain": each["__domain"]} for each in _groups(call, 1)]


@method("formatted_read_grouping_sets")
def _formatted_read_grouping_sets(call: Call) -> Any:
    sets = call.argument(1, "grouping_sets", [])
    return [_groups(replace(call, args=[call.argument(0, "domain", []), each]), 1) if each else [] for each in sets]


@method("get_activity_data", of="mail.activity")
def _get_activity_data(call: Call) -> Any:
    rights.check(call.user, str(call.argument(0, "res_model", "")), rights.READ)
    return {"activity_types": [], "activity_res_ids": [], "grouped_activities": {}}


@method("get_properties_base_definition", of="properties.base.definition")
def _get_properties_base_definition(call: Call) -> Any:
    rights.check(call.user, str(call.argument(0, "model_name", "")), rights.READ)
    return {"length": 0, "records": []}


@method("lazy_session_info", of="ir.http")
def _lazy_session_info(_call: Call) -> Any:
    return {"show_sale_receipts": False}


@method("get_current_website", of="website")
def _get_current_website(call: Call) -> Any:
    return [(call.session and call.session.website) or 1]


@method("read_progress_bar")
def _read_progress_bar(call: Call) -> Any:
    rights.check(call.user, call.model, rights.READ)
    if call.kwargs and "field" not in call.argument(2, "progress_bar", {}):
        raise KeyError("field")
    return {}


@method("search_panel_select_range")
def _search_panel_select_range(call: Call) -> Any:
    rights.check(call.user, call.model, rights.READ)
    return {"parent_field": False, "values": []}


@method("search_panel_select_multi_range")
def _search_panel_select_multi_range(call: Call) -> Any:
    rights.check(call.user, call.model, rights.READ)
    return {"values": []}


@method("fields_get")
def _fields_get(call: Call) -> Any:
    sample: Record = next(iter(call.db.records[call.model].values()), {"id": 0, "name": ""})
    return {name: {"name": name, "string": name.title(), "type": "char"} for name in sample}


@method("get_views")
def _get_views(call: Call) -> Any:
    kinds = ("list", "form", "kanban", "search")
    views = {kind: {"arch": f"<{kind}/>", "id": 1, "model": call.model} for kind in kinds}
    return {"views": views, "models": {call.model: {"fields": {}}}}


@method("get_formview_id")
def _get_formview_id(_call: Call) -> Any:
    return False


@method("get_formview_action")
def _get_formview_action(call: Call) -> Any:
    id = call.ids[0] if call.ids else False
    return {**window(call.model, id), "target": "current"}


def window(model: str, id: int | bool, **more: Any) -> Record:
    """An action that opens a record's form."""
    return {"type": "ir.actions.act_window", "res_model": model, "res_id": id, "views": [[False, "form"]], **more}


@method("check_access_rights")
def _check_access_rights(call: Call) -> Any:
    operation = str(call.argument(0, "operation", ""))
    if call.argument(1, "raise_exception", True):
        rights.check(call.user, call.model, operation)
    return rights.may(call.user, call.model, operation)


@method("has_access")
def _has_access(call: Call) -> Any:
    return rights.may(call.user, call.model, str(call.argument(1, "operation", "")))


@method("has_group", of="res.users")
def _has_group(call: Call) -> Any:
    """Called on a user and a group, or in versions before 18 on a group alone."""
    asked = [each for each in (*call.args, call.kwargs.get("group_ext_id")) if isinstance(each, str)]
    # The replay of the measurements, whose calls are known by their size alone, names no group.
    return call.user.has_group(asked[-1] if asked else USER)


@method("default_get")
def _default_get(_call: Call) -> Any:
    return {}


@method("onchange")
def _onchange(_call: Call) -> Any:
    return {"value": {}}


@method("get_rainbowman_message")
def _get_rainbowman_message(_call: Call) -> Any:
    return False


@method("action_view_tasks", of="project.project")
def _action_view_tasks(_call: Call) -> Any:
    return {"type": "ir.actions.act_window", "res_model": "project.task", "views": [[False, "kanban"]]}


@method("get_team_overview", of="crm.lead")
def _get_team_overview(call: Call) -> Any:
    """A method of the kind that agencies write: it reads, and no list of Odoo's methods knows it."""
    return {"leads": len(call.search([])), "mine": len(call.search([["user_id", "=", call.user.id]]))}
