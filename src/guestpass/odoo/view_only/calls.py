"""Which of Odoo's calls a view-only link may make, told from the parsed body, and what is sent in their place.

The path says little: ``/web/dataset/call_kw/a/b`` calls what its body names. So a body is read strictly, and what goes
upstream is written anew from what was read, with the names that Odoo knows and none besides.

This is a guard. Methods that only read run the code of whoever wrote the module (`onchange`, `default_get`, computed
fields), and reading a thread marks its messages as read; the boundary are the rights of the account in Odoo.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeGuard
from urllib.parse import unquote_to_bytes

from guestpass.domain.view_only import WRITE_METHODS, is_allowed_route
from guestpass.languages.marks import mark
from guestpass.odoo.http.json_bodies import RequestId, check_names, parse_call
from guestpass.odoo.secret_fields import TOKENS, reads_all_fields
from guestpass.odoo.view_only.actions import BREADCRUMBS, LOAD, RUN
from guestpass.odoo.view_only.buttons import CUSTOMER_PAGES, READ_BUTTONS, WRITING_CONTEXT
from guestpass.odoo.view_only.methods import (
    READ_METHODS,
    READ_METHODS_OF_MODELS,
    WRITE_METHODS_OF_MODELS,
    WRITING_CONTEXTS,
)
from guestpass.odoo.view_only.tokens import TOKEN_WIZARDS

if TYPE_CHECKING:
    # What is said to people takes CLDR, which the process that rules on calls has no use for.
    from guestpass.languages.language import Language

MAX_CALL: Final = 1024 * 1024
"""Bytes of a call's body at most."""


@dataclass(frozen=True, slots=True)
class Passed:
    """The call may be made; `body` is what goes upstream, never the visitor's own bytes."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Asks:
    """The call runs server actions, by number: `body` goes on as `ActionCheck` says, once Odoo has named them."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Quiet:
    """It goes nowhere, and is answered as Odoo would answer it: most are writes that the client makes by itself."""

    result: object
    id: RequestId

    def answer(self) -> bytes:
        """The body of Odoo's answer, which has no result where the method gives none."""
        given = {} if self.result is None else {"result": self.result}
        return _written({"jsonrpc": "2.0", "id": self.id, **given})


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """The call is not made. `model` and `method`, where known, are to be counted, and have places in `text`."""

    text: str
    model: str | None = None
    method: str | None = None

    def said_in(self, language: Language) -> str:
        """What the person is told."""
        if self.model is None:
            return language.translate(self.text)
        return language.translate(self.text, model=self.model, method=self.method)


Ruling = Passed | Asks | Quiet | RefusedCall
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def is_ruled_by_body(path: bytes) -> bool:
    """Whether a call to this path (without a query) is for `rule_on_call`; every other one is refused unread."""
    plain = _plain(path)
    return any(plain in routes for routes in _TABLES) or _method_route(plain) is not None


def runs_actions(path: bytes) -> bool:
    """Whether a call to this path (without a query) may run server actions, and so is one for `Asks`."""
    return _plain(path) in _ACTION_ROUTES


def rule_on_call(path: bytes, body: bytes, allowed: Collection[str]) -> Ruling:
    """Rule on a call by its path (without a query) and its whole body.

    `allowed` are further methods that may be called, each as ``model/method``, and routes.
    """
    if len(body) > MAX_CALL:
        return RefusedCall(f"This link is view-only: a call has at most {MAX_CALL // 1024} KiB.")
    try:
        call = parse_call(body)
        ruling = _rule(path, call, allowed)
        # What is written to the byte as it came has no name twice: each of its objects was written from one.
        if not isinstance(ruling, Passed) or ruling.body != body:
            check_names(call, body)
    except ValueError as error:
        return RefusedCall(f"This link is view-only. {error}")
    return ruling


def _rule(path: bytes, call: dict[str, Any], allowed: Collection[str]) -> Ruling:
    id, params = call.get("id"), call.get("params", {})
    if isinstance(id, bool) or not isinstance(id, int | str | None) or not isinstance(params, dict):
        return _UNREADABLE
    plain = _plain(path)
    try:
        if isinstance(id, str):
            _written(id)
        if (route := _method_route(plain)) is not None:
            return _rule_on_method(route, id, params, allowed)
        if (answer := _QUIET_ROUTES.get(plain)) is not None:
            return Quiet(answer(params), id)
        if plain == _ACTION and not _MADE.isdisjoint(_kinds_of(params)):
            return RefusedCall(LOOKS_ONLY)
        if (kept := ROUTES.get(plain)) is not None:
            return _refusing_tokens(id, kept(params))
        if (named := _ACTION_ROUTES.get(plain)) is not None:
            return named(id, params)
        if is_allowed_route(path, allowed):
            return _refusing_tokens(id, params)
    except ValueError:
        return _UNREADABLE
    return _REFUSED_ROUTES.get(plain, RefusedCall(LOOKS_ONLY))


def _refusing_tokens(id: RequestId, params: dict[str, Any]) -> Ruling:
    body = _call(id, params)
    # A domain could find one out.
    return RefusedCall(LOOKS_ONLY) if TOKENS.may_be_in(body) and TOKENS.are_in(params) else Passed(body)


def _rule_on_method(route: bytes, id: RequestId, params: dict[str, Any], allowed: Collection[str]) -> Ruling:
    model, method = params.get("model"), params.get("method")
    if not _is_name(model, _MODEL) or not _is_name(method, _METHOD):
        return _UNREADABLE
    if model in TOKEN_WIZARDS:
        return _refusal(model, method)
    if route != _CALL_KW:
        return _rule_on_button(id, model, method, params, allowed)
    if (answer := _QUIET_METHODS.get((model, method))) is not None:
        return Quiet(answer(params), id)
    if method in WRITE_METHODS or not (_reads(model, method, params) or f"{model}/{method}" in allowed):
        return _refusal(model, method)
    return _call_of(id, model, method, params)


def _rule_on_button(id: RequestId, model: str, method: str, params: dict[str, Any], allowed: Collection[str]) -> Ruling:
    if (page := CUSTOMER_PAGES.get((model, method))) is not None:
        match params.get("args"):
            case [[record], *_] if type(record) is int:
                # Whoever looks needs no token: they are signed in.
                return Quiet({"type": "ir.actions.act_url", "target": "self", "url": f"{page}{record}"}, id)
    opens = (model, method) in READ_BUTTONS and WRITING_CONTEXT.isdisjoint(_context(params))
    if method in WRITE_METHODS or not (opens or f"{model}/{method}" in allowed):
        return _refusal(model, method)
    return _call_of(id, model, method, params)


def _context(params: dict[str, Any]) -> dict[str, Any]:
    kwargs = params.get("kwargs")
    context = kwargs.get("context") if isinstance(kwargs, dict) else None
    return context if isinstance(context, dict) else {}


def _call_of(id: RequestId, model: str, method: str, params: dict[str, Any]) -> Ruling:
    args, kwargs = params.get("args", []), params.get("kwargs", {})
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        return _UNREADABLE
    body = _call(id, {"model": model, "method": method, "args": args, "kwargs": kwargs})
    # Any model may have a field with a token, and what modules add nobody here knows.
    if reads_all_fields(method, args, kwargs):
        return _refusal(model, method)
    if TOKENS.may_be_in(body):
        # Whether a name occurs twice is told from the call as it was parsed.
        args, kwargs = deepcopy(args), deepcopy(kwargs)
        if not TOKENS.leave_out(method, args, kwargs):
            return _refusal(model, method)
        body = _call(id, {"model": model, "method": method, "args": args, "kwargs": kwargs})
    return Passed(body)


def _reads(model: str, method: str, params: dict[str, Any]) -> bool:
    if (model, method) == _RENDER:
        return params.get("args") == _COLORS
    if method in READ_METHODS:
        writing = WRITING_CONTEXTS.get((model, method))
        is_read = writing is None or writing.isdisjoint(_context(params))
        return is_read and (model, method) not in WRITE_METHODS_OF_MODELS
    return (model, method) in READ_METHODS_OF_MODELS


def _refusal(model: str, method: str) -> RefusedCall:
    return RefusedCall(NOT_ALLOWED, model, method)


def _is_name(value: object, pattern: re.Pattern[str]) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= _LONGEST_NAME and pattern.fullmatch(value) is not None


def _plain(path: bytes) -> bytes:
    plain = unquote_to_bytes(path) if b"%" in path else path
    return _ONBOARDING if _PANEL.fullmatch(plain) else plain


def _method_route(plain: bytes) -> bytes | None:
    """The route that calls a model's method; what is behind it decides nothing."""
    found = _METHOD_ROUTES.fullmatch(plain)
    return found[1] if found else None


def _call(id: RequestId, params: Mapping[str, object]) -> bytes:
    return _written({"id": id, "jsonrpc": "2.0", "method": "call", "params": params})


def _written(value: object) -> bytes:
    """As UTF-8; raises ValueError for numbers that JSON lacks and for halves of characters."""
    return _ENCODER.encode(value).encode()


def _only(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Keeps what Odoo's own client sends to a route: a module may do more there for names that nobody here knows."""

    def keep(params: dict[str, Any]) -> dict[str, Any]:
        return {name: params[name] for name in names if name in params}

    return keep


def _of_store(params: dict[str, Any]) -> dict[str, Any]:
    """What may be asked of the route that gives all kinds of data: by names up to 18, in a list from 19 on.

    Some of those kinds are writes: a chat that is made, a bookmark that is set. What is not known to read is left out.
    """
    kept = _only("context", *DATA)(params)
    fetched = params.get("fetch_params")
    if isinstance(fetched, list):
        kept["fetch_params"] = [each for each in fetched if _kind_of(each) in DATA]
    return kept


def _kinds_of(params: dict[str, Any]) -> set[str | None]:
    fetched = params.get("fetch_params")
    return {_kind_of(each) for each in fetched} if isinstance(fetched, list) else set()


def _kind_of(entry: object) -> str | None:
    kind = entry[0] if isinstance(entry, list) and entry else entry
    return kind if isinstance(kind, str) else None


# Answers to what the client does by itself.


def _nothing(_params: dict[str, Any]) -> None:
    return None


def _empty_object(_params: dict[str, Any]) -> dict[str, Any]:
    return {}


def _no_ids(_params: dict[str, Any]) -> list[Any]:
    return []


def _false(_params: dict[str, Any]) -> bool:
    return False


def _no_chat(_params: dict[str, Any]) -> dict[str, Any]:
    return {"available_for_me": False, "rule": {}}


def _last_seen(params: dict[str, Any]) -> int | None:
    found = params.get("last_message_id")
    return found if isinstance(found, int) else None


def _changed_settings(params: dict[str, Any]) -> dict[str, Any]:
    """The client goes on with what comes back, so a menu stays folded as it was folded until the page is left."""
    kwargs, args = params.get("kwargs"), params.get("args")
    found = kwargs.get("new_settings") if isinstance(kwargs, dict) else None
    if found is None and isinstance(args, list) and len(args) > 1:
        found = args[1]
    settings = found if isinstance(found, dict) else {}
    match args:
        case [[int(id)], *_]:
            settings = {"id": id, **settings}
    _written(settings)
    return settings


def _run(id: RequestId, params: dict[str, Any]) -> Ruling:
    action = params.get("action_id")
    if isinstance(action, bool) or not isinstance(action, int):
        return _UNREADABLE
    return Asks(_call(id, _only("action_id", "context")(params)))


def _breadcrumbs(id: RequestId, params: dict[str, Any]) -> Ruling:
    """Odoo names records and actions above a page; to name a server action it runs it."""
    actions = params.get("actions")
    if not isinstance(actions, list):
        return _UNREADABLE
    kept = []
    for each in actions:
        if not isinstance(each, dict):
            return _UNREADABLE
        action = each.get("action")
        if isinstance(action, bool) or not isinstance(action, int | str | None):
            return _UNREADABLE
        # Odoo takes an action that is empty for none.
        names = ("action", "model", "resId") if action else ("model", "resId")
        kept.append(_only(*names)(each))
    body = _call(id, {"actions": kept})
    return Asks(body) if any("action" in each for each in kept) else Passed(body)


_ACTION: Final = b"/mail/action"
# What a person asks for by a click: were it left out in silence, they would wait for it.
_MADE: Final = frozenset({"/discuss/create_channel", "/discuss/create_group", "/discuss/get_or_create_chat"})
# Above lists of 16 and 17: what a company has still to set up. To show it makes its record.
_ONBOARDING: Final = b"/onboarding"
_PANEL = re.compile(
    rb"/onboarding/\w+|/account/account_(?:dashboard|invoice)_onboarding|/sales/sale_quotation_onboarding_panel"
)
_CALL_KW: Final = b"/web/dataset/call_kw"
# It renders any template, with whatever values: what the editor up to 18 needs to show a text is one of them.
_RENDER: Final = ("ir.ui.view", "render_public_asset")
_COLORS: Final[list[Any]] = ["web_editor.colorpicker", {}]
_METHOD_ROUTES = re.compile(rb"(/web/dataset/call_(?:kw|button))(?:/.*)?", re.DOTALL)
_MODEL = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*", re.ASCII)
_METHOD = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_LONGEST_NAME: Final = 128
LOOKS_ONLY: Final = mark("This link is view-only: you can look, but not change anything.")
NOT_ALLOWED: Final = mark("This link is view-only: you can look, but not change anything ({model}/{method}).")
_UNREADABLE: Final = RefusedCall(mark("This link is view-only, and this is not a call as Odoo's own pages make it."))

_ACTION_ROUTES: Final[dict[bytes, Callable[[RequestId, dict[str, Any]], Ruling]]] = {
    RUN: _run,
    BREADCRUMBS: _breadcrumbs,
}

# Known to be writes; every other route is refused by its path alone.
_REFUSED_ROUTES: Final[dict[bytes, RefusedCall]] = {
    b"/web/dataset/resequence": RefusedCall(LOOKS_ONLY),
    b"/web/view/edit_custom": RefusedCall(LOOKS_ONLY),
}

_FETCH: Final = ("after", "around", "before", "fetch_params", "limit", "max_id", "min_id", "search_term")
# Kinds of data that are read and nothing else. A name that Odoo's client also asks for in a way that writes, such as
# /mail/thread/messages in the newest version, is as good as the route of that name.
DATA: Final = frozenset(
    {
        "/discuss/channel/messages",
        "/mail/history/messages",
        "/mail/inbox/messages",
        "/mail/starred/messages",
        "/mail/thread/messages",
        "avatar_card",
        "canned_responses",
        "channels_as_member",
        "discuss.channel",
        "failures",
        "im_livechat.channel",
        "init_messaging",
        "livechat_channels",
        "mail.activity",
        "mail.canned.response",
        "mail.thread",
        "res.partner",
        "res.users",
        "systray_get_activities",
    }
)

ROUTES: Final[dict[bytes, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    # The web client.
    LOAD: _only("action_id", "additional_context", "context"),
    b"/base_setup/data": _only(),
    b"/base_setup/demo_active": _only(),
    b"/web/domain/validate": _only("domain", "model"),
    b"/web/session/check": _only(),
    b"/web/session/get_lang_list": _only(),
    b"/web/session/get_session_info": _only(),
    b"/web/session/modules": _only(),
    b"/web/webclient/bootstrap_translations": _only("mods"),
    b"/web/webclient/version_info": _only(),
    b"/report/check_wkhtmltopdf": _only(),
    # Which services elsewhere a calendar could be kept in line with: none is asked.
    b"/calendar/check_credentials": _only(),
    b"/calendar/notify": _only(),
    b"/product/catalog/get_sections": _only("child_field", "order_id", "res_model"),
    b"/product/catalog/order_lines_info": _only("child_field", "order_id", "product_ids", "res_model", "section_id"),
    b"/hr/get_org_chart": _only("context", "employee_id"),
    b"/hr/get_redirect_model": _only(),
    b"/hr/get_subordinates": _only("context", "employee_id", "subordinates_type"),
    # The bus, where it isn't a socket.
    b"/bus/get_autovacuum_info": _only(),
    b"/bus/has_missed_notifications": _only("last_notification_id"),
    b"/websocket/peek_notifications": _only("channels", "is_first_poll", "last"),
    # Messages.
    _ACTION: _of_store,
    b"/mail/data": _of_store,
    b"/mail/store": _of_store,
    b"/mail/init_messaging": _only("context"),
    b"/mail/load_message_failures": _only(),
    b"/mail/read_subscription_data": _only("follower_id"),
    b"/mail/history/messages": _only(*_FETCH),
    b"/mail/inbox/messages": _only(*_FETCH),
    b"/mail/starred/messages": _only(*_FETCH),
    b"/mail/thread/data": _only("request_list", "thread_id", "thread_model"),
    b"/mail/thread/messages": _only("thread_id", "thread_model", *_FETCH),
    b"/mail/thread/recipients/fields": _only("thread_model"),
    b"/mail/channel/messages": _only("channel_id", *_FETCH),
    b"/discuss/search": _only("category_id", "limit", "term"),
    b"/discuss/channel/attachments": _only("before", "channel_id", "limit"),
    b"/discuss/channel/info": _only("channel_id"),
    b"/discuss/channel/members": _only("channel_id", "known_member_ids"),
    b"/discuss/channel/messages": _only("channel_id", *_FETCH),
    b"/discuss/channel/pinned_messages": _only("channel_id"),
    b"/discuss/channel/sub_channel/fetch": _only("before", "limit", "parent_channel_id", "search_term"),
    # The website and the customers' pages.
    b"/my/counters": _only("counters"),
    b"/mail/chatter_fetch": _only(
        "domain", "limit", "offset", "res_id", "res_model", "thread_id", "thread_model", *_FETCH
    ),
    b"/mail/chatter_init": _only("res_id", "res_model"),
    b"/portal/chatter_init": _only("thread_id", "thread_model"),
    b"/website/get_current_currency": _only(),
    b"/website/snippet/autocomplete": _only("limit", "max_nb_chars", "options", "order", "search_type", "term"),
    b"/website/snippet/filter_templates": _only("filter_name"),
    b"/website/snippet/filters": _only("filter_id", "limit", "search_domain", "template_key", "with_sample"),
    b"/website_mail/is_follower": _only("records"),
    b"/website_sale/combo_configurator/get_data": _only("date", "product_tmpl_id", "quantity", "selected_combo_items"),
    b"/website_sale/combo_configurator/get_price": _only("date", "product_tmpl_id", "quantity"),
    b"/website_sale/product_configurator/get_optional_products": _only(
        "parent_ptav_ids", "product_template_id", "ptav_ids", "so_date"
    ),
    b"/website_sale/product_configurator/get_values": _only(
        "product_template_id", "product_uom_id", "ptav_ids", "quantity", "so_date"
    ),
    b"/website_sale/product_configurator/update_combination": _only(
        "product_template_id", "product_uom_id", "ptav_ids", "quantity", "so_date"
    ),
    b"/website_sale/should_show_product_configurator": _only(
        "is_product_configured", "product_template_id", "ptav_ids"
    ),
    b"/website_sale/get_combination_info": _only(
        "add_qty", "combination", "parent_combination", "product_id", "product_template_id", "uom_id"
    ),
    b"/shop/cart/quantity": _only(),
}

_QUIET_ROUTES: Final[dict[bytes, Callable[[dict[str, Any]], object]]] = {
    # Presence.
    b"/websocket/on_closed": _nothing,
    b"/websocket/update_bus_presence": _empty_object,
    # Seen, read, typing and folded: by channels of 16 under /mail, since then under /discuss.
    b"/mail/channel/notify_typing": _nothing,
    b"/mail/channel/set_last_seen_message": _last_seen,
    b"/discuss/channel/fold": _nothing,
    b"/discuss/channel/mark_as_read": _nothing,
    b"/discuss/channel/notify_typing": _nothing,
    b"/discuss/channel/set_last_seen_message": _last_seen,
    b"/calendar/notify_ack": _nothing,
    b"/shop/products/recently_viewed_update": _empty_object,
    # Calls between editors of one text, which nobody is here.
    b"/html_editor/get_ice_servers": _no_ids,
    b"/web_editor/get_ice_servers": _no_ids,
    _ONBOARDING: _empty_object,
    # A website's chat opens by itself where somebody is there to answer.
    b"/im_livechat/init": _no_chat,
}

_QUIET_METHODS: Final[dict[tuple[str, str], Callable[[dict[str, Any]], object]]] = {
    ("discuss.channel", "channel_fetched"): _nothing,
    ("discuss.channel", "channel_fold"): _nothing,
    ("mail.channel", "channel_fetched"): _nothing,
    ("mail.channel", "channel_fold"): _nothing,
    ("mail.message", "mark_all_as_read"): _no_ids,
    ("mail.message", "set_message_done"): _nothing,
    ("mail.partner.device", "register_devices"): _nothing,
    ("mail.push.device", "register_devices"): _nothing,
    ("ir.attachment", "register_as_main_attachment"): _nothing,
    # In a project it copies what the project's manager has set.
    ("res.users.settings", "get_embedded_actions_settings"): _empty_object,
    ("res.users.settings", "set_res_users_settings"): _changed_settings,
    ("res.users.settings", "set_volume_setting"): _nothing,
    ("web_tour.tour", "consume"): _false,
    # A read that up to 17 belongs to no list of ours, made as soon as the client starts: no activities are shown.
    ("res.users", "systray_get_activities"): _no_ids,
}

_TABLES: Final = (ROUTES, _QUIET_ROUTES, _ACTION_ROUTES, _REFUSED_ROUTES)
