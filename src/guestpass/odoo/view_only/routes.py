"""Which of Odoo's routes a view-only link may ask for at all, told from the request's head.

Odoo's routes without a list of methods do their work on GET too, without asking for a token: leads are won, leaves
approved and ratings given by following an address. So nothing passes because of its method: what Odoo serves for
itself passes by an exact list, taken from the controllers of versions 16 to 19, and so do the pages of its website
modules. Pages that somebody made in the website builder may have any address; they are known by what they can't do:
take a query or a record's number.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from enum import Enum
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from guestpass.domain.view_only import is_allowed_route
from guestpass.odoo.http.blocked_paths import LONGEST_REMEMBERED, Ruling, judge
from guestpass.odoo.secret_fields import TOKENS
from guestpass.odoo.view_only.calls import is_ruled_by_body


class RouteRuling(Enum):
    """What becomes of a request through a view-only link."""

    READS = "reads"  # it passes as it is, without a body
    CALL = "call"  # its body decides: `rule_on_call`
    REFUSED = "refused"


def rule_on_route(method: bytes, target: bytes, content_type: bytes, has_body: bool) -> RouteRuling:
    """Rule on a request by its head.

    `target` is the path with its query, `content_type` the field's value, empty where there is none, and `has_body`
    whether the request is framed with one, be it empty.
    """
    rule = _rule_again if len(target) + len(content_type) <= LONGEST_REMEMBERED else _rule
    return rule(method, target, content_type, has_body)


def _rule(method: bytes, target: bytes, content_type: bytes, has_body: bool) -> RouteRuling:
    path, _, query = target.partition(b"?")
    if judge(path).ruling is not Ruling.PASS:
        return RouteRuling.REFUSED
    if method == b"POST":
        is_call = has_body and _is_json(content_type) and is_ruled_by_body(path)
        return RouteRuling.CALL if is_call else RouteRuling.REFUSED
    if method not in (b"GET", b"HEAD") or has_body:
        return RouteRuling.REFUSED
    # As a field whose value shall be a file's name, or to sort by.
    if TOKENS.are_in_target(target):
        return RouteRuling.REFUSED
    return RouteRuling.READS if _reads(path, query) else RouteRuling.REFUSED


def rule_on_allowed_route(
    method: bytes, target: bytes, content_type: bytes, has_body: bool, allowed: Collection[str]
) -> RouteRuling:
    """Rule on a request that `rule_on_route` refuses: its owner may have allowed the address of a module.

    Whatever it is asked passes, but for tokens; forms never do, nor calls with a query, which Odoo may take for one.
    """
    path, _, query = target.partition(b"?")
    if not is_allowed_route(path, allowed):
        return RouteRuling.REFUSED
    if method == b"POST":
        return RouteRuling.CALL if has_body and not query and _is_json(content_type) else RouteRuling.REFUSED
    if method not in (b"GET", b"HEAD") or has_body or TOKENS.are_in_target(target):
        return RouteRuling.REFUSED
    return RouteRuling.READS


# Visitors ask for the same things again and again.
_rule_again = lru_cache(maxsize=1024)(_rule)


def target_to_read(target: bytes) -> bytes:
    """The target for Odoo of a request that reads: without the access token that its portal puts into its own links.

    A customer who opens an order with one is noted in the order's chatter; their rights let them see it without.
    """
    path, question, query = target.partition(b"?")
    pairs = query.split(b"&")
    kept = [pair for pair in pairs if _name(pair) != _TOKEN]
    if len(kept) == len(pairs) or not any(_MY.fullmatch(each) for each in _readings(path)):
        return target
    return path + question + b"&".join(kept) if kept else path


def _is_json(content_type: bytes) -> bool:
    return content_type.strip(b" \t").lower().replace(b"; ", b";") in _JSON_TYPES


def _reads(path: bytes, query: bytes) -> bool:
    """Whether each way in which Odoo may read the path leads to something that only reads."""
    whole, *behind = _readings(path)
    if _is_listed(whole, query) or _FORCED_SITE.fullmatch(whole):
        return True
    if _first(whole) in _KNOWN:
        return False
    # What names nothing of Odoo's may be a language: its code, or whatever the owner called it.
    translated = behind[0] if behind else b"/"
    has_code = _CODE.fullmatch(_first(whole)) is not None
    if behind and (_first(translated) in _KNOWN or _is_listed(translated, query)):
        return (has_code or _is_page(b"/" + _first(whole).encode())) and _is_listed(translated, query)
    is_page = _is_page(whole) or (has_code and (translated == b"/" or _is_page(translated)))
    return is_page and _asks_only(query, _HARMLESS)


def _is_listed(path: bytes, query: bytes) -> bool:
    if _SERVED.fullmatch(path):
        return True
    if _MY.fullmatch(path):
        return _asks_only(query, _SITE_NAMES | {_TOKEN})
    if _ADDRESSES.fullmatch(path):
        return _asks_only(query, _HARMLESS | _ADDRESS_NAMES)
    return _SITE.fullmatch(path) is not None and _asks_only(query, _SITE_NAMES)


def _readings(path: bytes) -> tuple[bytes, ...]:
    """The path as Odoo matches it, and what is left of it should its first segment be a language."""
    decoded = unquote_to_bytes(path)
    plain = decoded.removesuffix(b"/") or decoded
    split = re.fullmatch(rb"/[^/]+(/.+)", plain, re.DOTALL)
    return (plain, split[1]) if split else (plain,)


def _first(path: bytes) -> str:
    return _text(path).split("/")[1].lower()


def _text(path: bytes) -> str:
    return path.decode("utf-8", "replace")


def _is_page(path: bytes) -> bool:
    return _PAGE.fullmatch(_text(path)) is not None


def _asks_only(query: bytes, names: frozenset[bytes]) -> bool:
    return all(_name(pair) in names for pair in query.split(b"&") if pair)


def _name(pair: bytes) -> bytes:
    return unquote_to_bytes(pair.partition(b"=")[0].replace(b"+", b" "))


def _alternatives(patterns: Iterable[str]) -> re.Pattern[bytes]:
    return re.compile("|".join(_spelled_out(pattern) for pattern in patterns).encode(), re.DOTALL)


def _spelled_out(pattern: str) -> str:
    """A regular expression for a path of which parts in braces stand for `_PARTS`, and those in brackets may lack."""
    found = re.escape(pattern)
    for name, expression in _PARTS.items():
        found = found.replace(rf"\{{{name}\}}", expression)
    return found.replace(r"\[", "(?:").replace(r"\]", ")?")


_PARTS: Final = {
    "n": "[0-9]+",
    "one": "[^/]+",
    "record": "(?:[^/]*-)?[0-9]+",  # as Odoo writes one in an address: its name and its number
    "module": "[a-z0-9_]+",
    "more": "[^/].*",
}
_JSON_TYPES: Final = frozenset({b"application/json", b"application/json;charset=utf-8"})
_TOKEN: Final = b"access_token"
# Such as en, pt_BR, zh_Hant_TW, es_419 and sr@latin; modules have underscores too, but not so.
_CODE = re.compile(r"[a-z]{2,3}(?:[-_](?:[a-z]{2}|[0-9]{3}|[a-z]{4}(?=[-_]))){0,2}(?:@[a-z]+)?")
# As the website builder makes addresses. Only an address of one segment may end in a number: such a number tells two
# pages of one name apart, while behind a slash it may be a record's.
_WORD: Final = r"[^\W_]+(?:-[^\W_]+)*"
_NO_RECORD: Final = rf"(?!(?:{_WORD}-)?[0-9]+(?:/|\Z))"
_PAGE = re.compile(rf"/(?![0-9]+\Z){_WORD}|(?:/{_NO_RECORD}{_WORD}){{2,3}}")

_SERVED = _alternatives(
    (
        # The web client and what it is made of.
        "/web",
        "/web/login",
        "/web/login_successful",
        "/web/offline",
        "/web/health",
        "/web/manifest.webmanifest",
        "/web/manifest.scoped_app_manifest",
        "/web/service-worker.js",
        "/odoo[/{more}]",
        "/scoped_app[/{more}]",
        "/scoped_app_icon_png",
        "/web/webclient/load_menus[/{one}]",
        "/web/webclient/translations[/{one}]",
        "/web/webclient/locale/{one}",
        "/web/assets/{more}",
        "/web/bundle/{one}",
        "/{module}/static/{more}",
        # Images and files.
        "/web/image[/{more}]",
        "/web/content[/{more}]",
        "/web/binary/company_logo",
        "/logo",
        "/logo.png",
        "/favicon.ico",
        "/unsplash/{more}",
        "/report/barcode[/{one}/{more}]",
        "/web_editor/shape/{one}/{more}",
        "/web_editor/image_shape/{one}/{one}/{more}",
        "/web_editor/font_to_img/{more}",
        "/html_editor/shape/{one}/{more}",
        "/html_editor/image_shape/{one}/{one}/{more}",
        # The bus, and what messages show.
        "/websocket",
        "/websocket/health",
        "/bus/websocket_worker_bundle",
        "/mail/avatar/mail.message/{n}/author_avatar/{one}",
        *(
            f"/{room}/channel/{{n}}/{shown}"
            for room in ("mail", "discuss")
            for shown in (
                "avatar_128",
                "attachment/{n}",
                "image/{n}[/{one}]",
                "partner/{n}/avatar_128",
                "guest/{n}/avatar_128",
            )
        ),
        "/mail/rtc/audio_worklet_processor",
        "/discuss/voice/worklet_processor",
        # What a website has besides its pages.
        "/sitemap.xml",
        "/robots.txt",
        "/website/info",
        "/website/translations[/{one}]",
        "/website/image[/{more}]",
        "/website/iframefallback",
        "/website/lang/{one}",
        "/website/social/{one}",
        # What a chat on a website is made of.
        "/im_livechat/assets_embed.css",
        "/im_livechat/assets_embed.js",
        "/im_livechat/emoji_bundle",
        "/im_livechat/font-awesome",
        "/im_livechat/odoo_ui_icons",
        "/spreadsheet/dashboard/data/{record}",
    )
)

_SITE = _alternatives(
    (
        "/",
        "/terms",
        "/pages[/page/{n}]",
        "/website/search[/page/{n}]",
        "/website/search/{one}[/page/{n}]",
        "/model/{one}[/page/{n}]",
        "/model/{one}/{record}",
        "/shop[/page/{n}]",
        "/shop/category/{record}[/page/{n}]",
        "/shop/{record}[/document/{n}]",
        "/shop/{record}/{record}",
        "/shop/product/{record}",
        # Not the cart: seeing it takes off what is no longer sold, and applies rewards.
        "/shop/compare",
        "/shop/wishlist",
        "/blog[/page/{n}]",
        "/blog/tag/{one}[/page/{n}]",
        "/blog/{record}[/page/{n}]",
        "/blog/{record}/feed",
        "/blog/{record}/tag/{one}[/page/{n}]",
        "/blog/{record}[/post]/{record}",
        "/event[/page/{n}]",
        "/events[/page/{n}]",
        "/event/{record}",
        *(
            f"/event/{{record}}/{page}"
            for page in (
                "agenda",
                "booth",
                "community",
                "exhibitor[/{record}]",
                "exhibitors",
                "ics",
                "page/{more}",
                "register",
                "track[/{record}]",
                "track/tag/{record}",
            )
        ),
        "/forum[/all][/page/{n}]",
        "/forum/{record}[/page/{n}]",
        "/forum/{record}/faq[/karma]",
        "/forum/{record}/tag[/{one}]",
        "/forum/{record}/tag/{record}/questions[/page/{n}]",
        "/forum/{record}/{record}",
        "/forum/user/{n}",
        "/profile/users[/page/{n}]",
        "/profile/user/{n}",
        "/profile/ranks_badges",
        "/profile/avatar/{n}",
        # Not the page of one slide: seeing it completes it, which may earn its reader a certificate.
        "/slides[/all]",
        "/slides/all/tag/{one}",
        "/slides/{record}[/page/{n}]",
        "/slides/{record}/category/{record}[/page/{n}]",
        "/slides/{record}/tag/{record}[/page/{n}]",
        "/slides/slide/{n}/get_image",
        "/jobs[/page/{n}]",
        "/jobs/{record}",
        "/jobs/detail/{record}",
        "/jobs/apply/{record}",
        "/jobs[/country/{record}][/department/{record}][/office/{n}][/employment_type/{n}]",
        "/customers[/industry/{record}][/country/{record}][/page/{n}]",
        "/customers/{record}",
        "/partners[/grade/{record}][/country/{record}][/page/{n}]",
        "/partners/{record}",
    )
)

_MY = _alternatives(
    (
        "/my[/home]",
        "/my/account",
        *(
            f"/my/{records}[/page/{{n}}]"
            for records in (
                "invoices",
                "leads",
                "opportunities",
                "orders",
                "productions",
                "projects",
                "purchase",
                "quotes",
                "rfq",
                "subscriptions",
                "tasks",
                "tickets",
                "timesheets",
            )
        ),
        *(
            f"/my/{record}/{{record}}"
            for record in (
                "invoices",
                "lead",
                "opportunity",
                "orders",
                "productions",
                "project",
                "projects",
                "purchase",
                "subscriptions",
                "task",
                "tasks",
                "ticket",
            )
        ),
        "/my/projects/{n}/page/{n}",
        "/my/projects/{n}/task/{n}[/subtasks]",
        "/my/projects/{n}/task/{n}/recurrent_tasks",
        "/my/tasks/{n}/orders/invoices[/page/{n}]",
    )
)

_ADDRESSES = _alternatives(("/my/address", "/my/addresses"))
_ADDRESS_NAMES: Final = frozenset({b"address_type", b"callback", b"partner_id", b"use_delivery_as_billing"})
# Which of several websites is previewed is kept in the visitor's session. It has no other languages, and so no code.
_FORCED_SITE = _alternatives(("/website/force/{n}",))

# What an address may ask for without that anything happens: campaigns, the language, and how much a page tells of
# itself. `debug` is kept in the visitor's session and nowhere else.
_HARMLESS: Final = frozenset(
    {
        b"debug",
        b"fbclid",
        b"gclid",
        b"lang",
        b"msclkid",
        b"utm_campaign",
        b"utm_content",
        b"utm_medium",
        b"utm_source",
        b"utm_term",
    }
)
# Besides, how lists are searched, sorted and cut. Not `report_type` and `download`, which make documents that Odoo may
# keep; not `confirm` and `update`, which answer a purchase; not `revive`, which merges carts.
_SITE_NAMES: Final = _HARMLESS | {
    b"attrib",
    b"attribute_value",
    b"attribute_values",
    b"category",
    b"countries",
    b"country",
    b"country_id",
    b"date",
    b"date_begin",
    b"date_end",
    b"department_id",
    b"filterby",
    b"filters",
    b"groupby",
    b"is_remote",
    b"max_price",
    b"min_price",
    b"my",
    b"noFuzzy",
    b"office_id",
    b"order",
    b"page",
    b"ppg",
    b"products",
    b"search",
    b"search_in",
    b"slide_category",
    b"sortby",
    b"sorting",
    b"tag",
    b"tags",
    b"type",
    b"unique",
}

# First segments under which Odoo or its modules do more than show pages, and those that other software likes for such
# things: below them only what is listed above passes. Names that no page made in the builder can have, such as those
# of most modules with their underscores, need not be here.
_KNOWN: Final = frozenset(
    """
    account action actions allocation api appointment auth autocomplete blog board bus calendar callback cards chat
    chatbot coupon cron customers dashboard delivery digest discuss documents donation event events forum graphql group
    groups helpdesk hook hr invoice iot jitsi jobs json jsonrpc kiosk knowledge lead leave livechat logo longpolling
    lunch mail mailing meet members menu model my note oauth oauth2 odoo onboarding pages partners payment planning
    portal pos pos-self pos-self-order print product profile project r rate rating report rest s sale sales shop sign
    slides sms social spreadsheet stock survey terms unsplash view web webhook webhooks website websocket xmlrpc
    """.split()  # noqa: SIM905 - a hundred lines of one word each would be no easier to read
)
