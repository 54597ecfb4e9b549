"""What an owner can allow to view-only links besides what is known to read, and what nobody can."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from guestpass.domain.blocked_paths import Ruling, judge, readings

ROUTE_PATTERN: Final = r"(?:/[A-Za-z0-9._~!$&'()+,;=:@-]+)(?:/(?:\*|[A-Za-z0-9._~!$&'()+,;=:@-]+))*"
"""An address of a module, in which a segment that is ``*`` stands for any one."""

WRITE_METHODS: Final = frozenset(
    {
        "action_archive",
        "action_unarchive",
        "copy",
        "copy_multi",
        "create",
        "load",
        "name_create",
        "toggle_active",
        "unlink",
        "update_field_translations",
        "web_create_users",
        "web_override_translations",
        "web_resequence",
        "web_save",
        "web_save_multi",
        "web_update_field_translations",
        "write",
    }
)
"""Methods of every model that write: refused by name, also where an environment's `readOnlyAllow` names them."""

# Odoo's own client, messages and files, of which each address that reads is let through already. Whatever stands before
# them may be a language, since owners choose how those are called in an address.
_CLIENT = re.compile(rb"/(?:base_import|discuss|html_editor|longpolling|mail|web|web_editor|websocket)(?:/.*)?")
# The same for names that modules give their pages, too; what signs in or pays, or changes how a person is reached.
_OTHERS = re.compile(
    rb"/(?:bus|calendar|odoo|payment|portal|report|auth(?:[_-][a-z0-9_-]+)?|oauth2?|passkeys?|webauthn|mcp|"
    rb"\.well-known)(?:/.*)?|/my/(?:account|address(?:es)?|deactivate_account|security)(?:/.*)?|/profile/user/save|"
    rb"/shop/(?:address|cart|checkout|confirm|payment)[a-z_]*(?:/.*)?"
)
# The address of a page in a language, such as /fr, /pt_BR and /zh_Hant_TW.
_IN_LANGUAGE = re.compile(r"/(?!my/)[a-z]{2,3}(?:[-_][A-Za-z0-9]{2,4}){0,2}(?:@[a-z]+)?(/.+)")
_LONGEST_WORD: Final = 32
_LONGEST_ROUTE: Final = 200


def can_be_allowed(path: bytes) -> bool:
    """Return whether an owner may allow a path (without a query), in whatever language it is asked for."""
    if judge(path).ruling is not Ruling.PASS:
        return False
    whole, *behind = readings(path)
    in_language = [each for each in behind if _IN_LANGUAGE.fullmatch(whole.decode("latin-1"))]
    return not (any(map(_CLIENT.fullmatch, (whole, *behind))) or any(map(_OTHERS.fullmatch, (whole, *in_language))))


def is_allowed_route(path: bytes, allowed: Collection[str]) -> bool:
    """Return whether an owner has allowed a path (without a query). In `allowed`, routes begin with a slash."""
    routes = tuple(each for each in allowed if each.startswith("/"))
    if not routes or not can_be_allowed(path):
        return False
    plain = unquote(path.decode("latin-1"))
    translated = _IN_LANGUAGE.fullmatch(plain)
    pattern = _pattern_of(routes)
    return pattern.fullmatch(plain) is not None or (
        translated is not None and pattern.fullmatch(translated[1]) is not None
    )


def route_of(path: bytes) -> str | None:
    """Return the route that allows a path and those like it, None where none can.

    What may be a record, or a token that lets somebody in, is any segment: whatever has a digit or is long.
    """
    first, *others = unquote(path.decode("latin-1")).removeprefix("/").removesuffix("/").split("/")
    route = "/" + "/".join([first, *("*" if _may_be_one_of_many(each) else each for each in others)])
    is_written = len(route) <= _LONGEST_ROUTE and re.fullmatch(ROUTE_PATTERN, route) is not None
    return route if is_written and not _may_be_one_of_many(first) and can_be_allowed(path) else None


def _may_be_one_of_many(segment: str) -> bool:
    return len(segment) > _LONGEST_WORD or any(map(str.isdigit, segment))


@lru_cache(maxsize=64)
def _pattern_of(routes: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(route).replace(r"/\*", "/[^/]+") + "/?" for route in routes), re.DOTALL)
