"""Tokens of records (`access_token`), by which whoever has one opens an order or a survey without signing in.

They are left out of what a call wants to read, since forms of Odoo name them, and refused where a call searches,
groups or sorts by them, from which they could be found out.
"""

from __future__ import annotations

import re
from typing import Any, Final

TOKEN: Final = "access_token"
TOKEN_WIZARDS: Final = frozenset(
    {
        "payment.link.wizard",
        "portal.share",
        "portal.wizard",
        "portal.wizard.user",
        "project.share.collaborator.wizard",
        "project.share.wizard",
        "spreadsheet.dashboard.share",
        "survey.invite",
        "task.share.wizard",
    }
)
"""Models that make tokens or hand them out, some of them as soon as their form is opened."""

# Those that have the field in 17 to 19: to read them without naming fields is to read it.
_HAVE_TOKENS: Final = frozenset(
    {
        "account.journal",
        "account.move",
        "calendar.attendee",
        "calendar.event",
        "ir.attachment",
        "mail.guest",
        "pos.config",
        "pos.order",
        "pos.session",
        "product.feed",
        "project.project",
        "project.task",
        "purchase.order",
        "rating.rating",
        "sale.order",
        "slide.channel",
        "survey.survey",
        "survey.user_input",
        "website.visitor",
    }
)
# Where the methods that read have the names of fields: by position and by name.
_WANTED: Final = {
    "default_get": (0, "fields_list"),
    "onchange": (3, "fields_spec"),
    "read": (1, "fields"),
    "search_read": (1, "fields"),
    "web_name_search": (1, "specification"),
    "web_read": (1, "specification"),
    "web_search_read": (1, "specification"),
}
_READ_ALL: Final = frozenset({"read", "search_read"})
_HARMLESS: Final = frozenset({"fields_get", "get_views"})
# Alone, on a path, in an order or in an aggregate.
_NAMED = re.compile(rf"(?<![A-Za-z0-9_]){TOKEN}(?![A-Za-z0-9_])")


def reads_all_of_token(model: str, method: str) -> bool:
    """Whether the call may read all fields of records that have a token."""
    return method in _READ_ALL and model in _HAVE_TOKENS


def leave_out_tokens(model: str, method: str, args: list[Any], kwargs: dict[str, Any]) -> bool:
    """Take the field out of what is to be read, in place; False where the call could tell it all the same."""
    position, name = _WANTED.get(method, (0, ""))
    wanted = kwargs.get(name) if name in kwargs else args[position] if position < len(args) and name else None
    had_some = bool(wanted)
    _take_out(wanted)
    if method in _READ_ALL and not wanted and (had_some or model in _HAVE_TOKENS):
        return False
    if method in _HARMLESS:
        return True
    # What a form holds is no question, and the context names no fields.
    said = args[:1] + args[2:] if method == "onchange" else args
    named = {key: value for key, value in kwargs.items() if key not in ("context", "values")}
    return not _names_it([said, named])


def _take_out(wanted: object) -> None:
    """Depth is bounded by strict reading."""
    if isinstance(wanted, list):
        wanted[:] = [each for each in wanted if each != TOKEN]
        for each in wanted:
            _take_out(each)
    elif isinstance(wanted, dict):
        wanted.pop(TOKEN, None)
        for each in wanted.values():
            _take_out(each)


def _names_it(value: object) -> bool:
    open_ones = [value]
    while open_ones:
        each = open_ones.pop()
        if isinstance(each, str):
            if _NAMED.search(each):
                return True
        elif isinstance(each, list):
            open_ones += each
        elif isinstance(each, dict):
            open_ones += each
            open_ones += each.values()
    return False
