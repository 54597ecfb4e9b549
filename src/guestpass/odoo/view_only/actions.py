"""Which server actions a view-only link may run: those that only say what is to be opened.

A call names one by its number, which means something else in each database. So Odoo is asked for its external id first,
by the visitor's own session, and the call goes on when it is listed. Whoever may change the code behind an external id
in Odoo may change what the action does, as with any other method.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from guestpass.odoo.http.json_bodies import read_little

RUN: Final = b"/web/action/run"
BREADCRUMBS: Final = b"/web/action/load_breadcrumbs"
LOAD: Final = b"/web/action/load"
SERVER_ACTIONS: Final = "ir.actions.server"
"""The model of server actions, under which refused ones are counted: with their external ids, or else their numbers."""

READ_ACTIONS: Final = frozenset(
    {
        "account.action_new_bank_setting",
        "crm.action_opportunity_forecast",
        "crm.action_your_pipeline",
        "repair.action_repair_overview",
        "stock.action_open_routes",
        "stock.method_action_picking_tree_incoming",
        "stock.method_action_picking_tree_internal",
        "stock.method_action_picking_tree_outgoing",
        "website.ir_actions_server_website_analytics",
        "website.ir_actions_server_website_dashboard",
    }
)
"""External ids of server actions of 17 to 19 that only return an action."""
OPENED_INSTEAD: Final = {
    # These make a stage or a task for the user before they open a list.
    "project.action_server_view_my_task": "project.action_view_my_task",
    "project_todo.project_task_preload_action_todo": "project_todo.project_task_action_todo",
}
"""The action that a server action opens, where it writes something before: that one is loaded in its place."""

_MOST_NAMED: Final = 8
# An action that is nowhere: Odoo says so of that one, and names the others.
_NOWHERE: Final = "view_only.not_shared"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that goes to Odoo; `is_question` says that it is ours, and not what the visitor wants."""

    path: bytes
    body: bytes
    is_question: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The server action is not run."""

    action: str


Step = Call | Refused


class ActionCheck:
    """What is asked of Odoo before a call that runs server actions; `call` is as it was ruled on.

    `allowed` are further ones, each as ``ir.actions.server/`` and its external id or number.
    """

    __slots__ = ("_allowed", "_body", "_open", "_path", "_replaced", "_runs")

    def __init__(self, call: Call, allowed: Collection[str]) -> None:
        self._path = call.path
        self._body: dict[str, Any] = json.loads(call.body)
        self._allowed = allowed
        params = self._body["params"]
        self._runs = "action_id" in params
        named = (
            [params["action_id"]] if self._runs else [each["action"] for each in params["actions"] if "action" in each]
        )
        different: list[int | str] = list(dict.fromkeys(named))
        self._open, others = different[:_MOST_NAMED], different[_MOST_NAMED:]
        self._replaced: dict[int | str, int | str] = dict.fromkeys(others, _NOWHERE)

    def next(self) -> Call:
        """The next question."""
        return self._load(self._open[0], {}, is_question=True)

    def answered(self, body: bytes) -> Step | None:
        """What comes after Odoo's answer to the last question; None where it is an error that the visitor is to see."""
        answer = read_little(body)
        action = answer.get("result") if isinstance(answer, dict) else None
        asked = self._open.pop(0)
        if self._runs:
            if isinstance(answer, dict) and "error" in answer:
                return None
            return self._run(self._name_of(action) if isinstance(action, dict) and action.get("id") == asked else None)
        if not isinstance(action, dict):
            self._replaced[asked] = _NOWHERE
        elif action.get("type") == SERVER_ACTIONS:
            name = self._name_of(action)
            if not self._may_run(name):
                self._replaced[asked] = OPENED_INSTEAD.get(name, _NOWHERE)
        return self.next() if self._open else self._go_on()

    def _run(self, name: str | None) -> Step:
        if name is None:
            return Refused(str(self._body["params"]["action_id"]))
        if self._may_run(name):
            return Call(self._path, _written(self._body))
        if name in OPENED_INSTEAD:
            return self._load(OPENED_INSTEAD[name], self._body["params"])
        return Refused(name)

    @staticmethod
    def _name_of(action: dict[str, Any]) -> str:
        """The external id, or the number of an action that has none."""
        name = action.get("xml_id")
        return name if isinstance(name, str) and name else str(action.get("id"))

    def _may_run(self, name: str) -> bool:
        return name in READ_ACTIONS or f"{SERVER_ACTIONS}/{name}" in self._allowed

    def _load(self, action: int | str, params: dict[str, Any], *, is_question: bool = False) -> Call:
        context = {"context": params["context"]} if "context" in params else {}
        return Call(LOAD, _written({**self._body, "params": {"action_id": action, **context}}), is_question)

    def _go_on(self) -> Call:
        """The call that names actions, where those that may not be run are others."""
        actions = [
            {**each, "action": self._replaced.get(each["action"], each["action"])} if "action" in each else each
            for each in self._body["params"]["actions"]
        ]
        return Call(self._path, _written({**self._body, "params": {"actions": actions}}))


def _written(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
