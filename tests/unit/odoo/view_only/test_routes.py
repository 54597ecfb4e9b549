from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.odoo.view_only import routes
from guestpass.odoo.view_only.routes import RouteRuling, rule_on_route, target_to_read

JSON = b"application/json"


def get(target: str, *, method: bytes = b"GET") -> RouteRuling:
    return rule_on_route(method, target.encode(), b"", False)


def post(target: str, content_type: str = "application/json") -> RouteRuling:
    return rule_on_route(b"POST", target.encode(), content_type.encode(), True)


READS = [
    # The web client, as a browser asked for it in a recorded session.
    "/odoo",
    "/odoo?debug=assets",
    "/odoo/contacts",
    "/odoo/action-123/12/res.partner/new",
    "/odoo/offline",
    "/web",
    "/web?debug=1",
    "/web/login",
    "/web/login?redirect=%2Fodoo%3F",
    "/web/assets/1/0479d1f/web.assets_frontend.min.css",
    "/web/assets/9a3b89c/web.assets_web.min.js",
    "/web/assets/debug/web.assets_web.js",
    "/web/bundle/web.assets_emoji?lang=en_US",
    "/web/content/1112?filename=up.pdf&unique=58981a60&download=true",
    "/web/image?model=res.users&field=avatar_128&id=2",
    "/web/image/res.partner/1/avatar_128?unique=1795502278000",
    "/web/image/product.template/11/image_512/%5BE-COM07%5D%20Large%20Cabinet?unique=ea1d8d2",
    "/web/image/website/1/favicon?unique=ea1d8d2",
    "/web/manifest.webmanifest",
    "/web/service-worker.js",
    "/web/static/lib/odoo_ui_icons/fonts/odoo_ui_icons.woff2",
    "/web/webclient/load_menus/7fb7a51c638fb8ce",
    "/web/webclient/load_menus",
    "/web/webclient/translations/9a778495?lang=en_US",
    "/my_module/static/src/img/logo.png",
    "/bus/websocket_worker_bundle?v=18.0-1",
    "/websocket?version=18.0-1",
    "/mail/avatar/mail.message/7/author_avatar/50x50",
    "/discuss/channel/3/attachment/12",
    "/mail/channel/3/image/12/100x100",
    "/report/barcode/QR/hello",
    "/favicon.ico",
    "/logo.png",
    # Pages of a website.
    "/",
    "/?utm_source=mail&gclid=x",
    "/fr",
    "/fr_BE/",
    "/contactus",
    "/about-us",
    "/about-us-1",
    "/our-services/consulting",
    "/%C3%BCber-uns",
    "/zh_CN/contactus",
    "/fr/about-us-1",
    "/deutsch/our-services/consulting",
    "/shop",
    "/shop/page/2?search=chair&order=name+asc&attrib=3-1&attrib=4-2",
    "/shop/category/desks-3",
    "/shop/large-cabinet-11",
    "/de/shop/caf%C3%A9-17",
    "/deutsch/shop/cafe-17",
    "/shop/desks-3/large-cabinet-11",
    "/blog/news-1/the-year-7",
    "/fr/blog/news-1/page/2",
    "/event/expo-5/register",
    "/forum/help-1/how-do-i-9",
    "/jobs/country/belgium-20/department/sales-2",
    "/slides/trees-1",
    "/my",
    "/my/home",
    "/my/orders?sortby=date",
    "/my/orders/12",
    "/my/orders/12?access_token=0b5e",
    "/my/projects/3/task/14",
    "/my/addresses",
    "/my/address?partner_id=7&address_type=billing&use_delivery_as_billing=true",
    "/website/force/1",
    "/website/force/1?path=%2Fcontactus&isredir=1",
    "/spreadsheet/dashboard/data/3",
    "/im_livechat/assets_embed.css",
    "/im_livechat/assets_embed.js",
    "/website/lang/fr?r=%2Fshop",
    "/website/search?search=chair",
    "/website/translations/f190600f?lang=en_US",
]

REFUSED_GETS = {
    "/web/session/logout": "ends the session",
    "/web/session/logout?redirect=/odoo": "ends the session",
    "/en/web/session/logout": "ends the session, behind a language",
    "/deutsch/web/session/logout": "a language may be called as its owner likes",
    "/web/session/%6cogout": "an escaped letter is the same letter",
    "/web/session/logout/": "Odoo overlooks the last slash",
    "/web//session/logout": "servers read it in two ways",
    "/odoo/../web/session/logout": "servers read it in two ways",
    "/web/%2e%2e/odoo": "servers read it in two ways",
    "/web/session/authenticate": "takes a password",
    "/web/session/destroy": "ends the session",
    "/web/login/totp": "takes a code",
    "/web/reset_password": "sends a mail",
    "/web/signup": "makes a user",
    "/web/become": "turns into the superuser",
    "/web/set_profiling?profile=1": "records what everybody does",
    "/web/hook/4a3f": "runs an automation",
    "/web/database/manager": "the database manager",
    "/web/export/csv?data=x": "is made from a form",
    "/web/binary/upload_attachment": "an upload",
    "/web/speedscope/1": "records of profiles",
    "/web/x": "a route that nobody here knows",
    "/WEB/session/logout": "another spelling, which some server may fold",
    "/en/website/force/1": "no route of Odoo's",
    "/website/force/x": "no route of Odoo's",
    "/my/address/submit": "writes an address",
    "/my/address?access_token=x": "opens what somebody else may see",
    "/spreadsheet/dashboard/data": "no route of Odoo's",
    "/im_livechat/download_transcript/1": "a conversation",
    "/website/action/sale.action_x": "runs a server action",
    "/website/configurator": "makes a website",
    "/website/add/page": "makes a page",
    "/@/shop": "forces a website",
    "/report/pdf/account.report_invoice/7": "keeps the invoice as an attachment",
    "/report/html/sale.report_saleorder/7": "runs a report",
    "/report/download?data=x": "keeps an attachment",
    "/stock/pdf/stock.report?active_id=1": "makes a report",
    "/account/download_invoice_documents/1,2/pdf": "makes and keeps documents",
    "/mail/view?model=sale.order&res_id=7&access_token=x": "signs in by a token and changes companies",
    "/mail/track/7/4f2/blank.gif": "counts a mail as opened",
    "/mail/unfollow?model=res.partner&res_id=1&pid=3&token=x": "unsubscribes",
    "/mail/mailing/3/unsubscribe": "unsubscribes",
    "/mailing/3/unsubscribe": "unsubscribes",
    "/unsubscribe_from_list": "unsubscribes",
    "/digest/3/unsubscribe": "unsubscribes",
    "/digest/3/set_periodicity?periodicity=daily": "changes a digest",
    "/calendar/meeting/accept?token=x&id=1": "accepts a meeting",
    "/calendar/recurrence/decline?token=x&id=1": "declines meetings",
    "/chat/4f2": "makes a channel",
    "/meet/4f2": "makes a channel",
    "/discuss/channel/3": "joins a channel",
    "/lead/case_mark_won?res_id=1&token=x": "wins a lead",
    "/leave/approve?res_id=1&token=x": "approves a leave",
    "/leave/validate": "approves a leave",
    "/fr/leave/approve": "approves a leave, behind a language",
    "/allocation/refuse?res_id=1&token=x": "refuses an allocation",
    "/rate/4f2/5": "gives a rating",
    "/rate/4f2/submit_feedback?rate=5": "gives a rating",
    "/survey/start/4f2": "starts a survey",
    "/s/4f2": "starts a survey",
    "/payment/pay?amount=1": "prepares a payment",
    "/payment/status": "processes a payment",
    "/donation/pay": "prepares a payment",
    "/coupon/SUMMER": "applies a coupon",
    "/r/aBc": "counts a click",
    "/r/aBc/m/3": "counts a click",
    "/sms/3/4f2": "unsubscribes",
    "/group/unsubscribe-confirm?token=x": "unsubscribes",
    "/shop/cart": "applies rewards, and drops what is sold no longer",
    "/shop/cart/update": "changes the cart",
    "/shop/cart?access_token=x&revive=merge": "merges carts",
    "/shop/change_pricelist/2": "changes the session's prices",
    "/shop/pricelist?promo=x": "applies a code",
    "/shop/claimreward?reward_id=1": "applies a reward",
    "/shop/confirm_order": "confirms an order",
    "/shop/payment/validate": "confirms an order",
    "/shop/large-cabinet-11?access_token=x": "a token that this page doesn't take",
    "/slides/slide/leaf-3": "completes the slide for its reader",
    "/slides/slide/leaf-3/set_completed": "completes the slide",
    "/slides/3/invite?invite_hash=x": "joins a course",
    "/forum/help-1/post/x-9/refuse": "refuses a post",
    "/forum/help-1/post/x-9/validate": "accepts a post",
    "/event/expo-5/registration/success": "reads registrations by a token",
    "/my/orders/12?report_type=pdf&download=true": "makes a document, which Odoo may keep",
    "/my/orders/12?access_token=x&report_type=pdf": "makes a document, which Odoo may keep",
    "/my/purchase/7?confirm=reminder": "confirms a purchase",
    "/my/purchase/7?up%64ate=True": "answers a purchase, with an escaped letter",
    "/my/orders/12/accept": "signs an order",
    "/my/security": "passwords and keys",
    "/my/payment_method": "means of payment",
    "/fr/my/orders/12/decline": "refuses an order, behind a language",
    "/google_account/authentication?code=x": "links an account",
    "/auth_oauth/signin?state=x": "signs somebody in",
    "/mail_plugin/auth?scope=x": "gives away a token",
    "/pos/ui": "opens a till",
    "/json/1/res.partner": "an interface for programs",
    "/api/orders": "what many modules call their interface",
    "/approvals/decide/12": "a module's route, told by the record's number",
    "/approvals/decide/order-12": "a module's route, told by the record's number",
    "/approvals?id=12": "a module's route, told by its query",
    "/approvals/decide?utm_source=x&id=12": "a module's route, told by its query",
    "/my_module/run": "a module's route, told by its name",
    "/aa/b/c/d/e": "deeper than pages are made",
    "/approve/12": "a module's route, told by the record's number",
    "/approve/order-12": "a module's route, told by the record's number",
    "/do/12": "a module's route, told by the record's number",
    "/contactus?enable_editor=1": "opens the editor",
    "/xmlrpc/2/common": "an interface for programs",
    "": "no path",
}


@pytest.mark.parametrize("target", READS)
def test_what_is_looked_at_passes(target: str) -> None:
    assert get(target) is RouteRuling.READS
    assert get(target, method=b"HEAD") is RouteRuling.READS


@pytest.mark.parametrize("target", REFUSED_GETS, ids=lambda target: f"{target} {REFUSED_GETS[target]}")
def test_a_get_that_does_something_is_refused(target: str) -> None:
    assert get(target) is RouteRuling.REFUSED
    assert get(target, method=b"HEAD") is RouteRuling.REFUSED


@pytest.mark.parametrize(
    "method", [b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"get", b""]
)
@pytest.mark.parametrize("target", READS)
def test_no_other_verb_reads(method: bytes, target: str) -> None:
    assert get(target, method=method) is RouteRuling.REFUSED
    assert rule_on_route(method, target.encode(), b"application/x-www-form-urlencoded", True) is RouteRuling.REFUSED


@pytest.mark.parametrize("target", READS)
def test_what_is_looked_at_has_no_body(target: str) -> None:
    for method in (b"GET", b"HEAD"):
        assert rule_on_route(method, target.encode(), JSON, True) is RouteRuling.REFUSED


CALLS = [
    "/web/dataset/call_kw",
    "/web/dataset/call_kw/",
    "/web/dataset/call_kw/res.partner/web_search_read",
    "/web/dataset/call_kw/what/ever/else",
    "/web/dataset/call_kw/res.partner/read?x=1",
    "/web/dataset/call_button",
    "/web/dataset/call_button/sale.order/action_confirm",
    "/web/dataset/resequence",
    "/web/action/load",
    "/web/action/run",
    "/web/action/load_breadcrumbs",
    "/web/webclient/version_info",
    "/web/session/get_session_info",
    "/mail/action",
    "/mail/data",
    "/mail/init_messaging",
    "/mail/thread/messages",
    "/discuss/channel/messages",
    "/discuss/channel/mark_as_read",
    "/websocket/update_bus_presence",
    "/websocket/peek_notifications",
]

REFUSED_POSTS = [
    "/web/login",
    "/web/session/authenticate",
    "/web/session/change_password",
    "/web/session/destroy",
    "/web/dataset/call_kwx/res.partner/read",
    "/web/dataset/call",
    "/web/dataset/exec_workflow",
    "/web/binary/upload_attachment",
    "/web/export/xlsx",
    "/web/report/download",
    "/report/download",
    "/web_editor/attachment/add_data",
    "/html_editor/attachment/add_url",
    "/mail/message/post",
    "/mail/message/update_content",
    "/mail/message/reaction",
    "/mail/attachment/upload",
    "/mail/attachment/delete",
    "/mail/partner/from_email",
    "/mail/thread/subscribe",
    "/mail/thread/recipients",
    "/mail/guest/update_name",
    "/mail/rtc/channel/join_call",
    "/mail/chatter_post",
    "/discuss/channel/join",
    "/discuss/channel/update_avatar",
    "/discuss/channel/sub_channel/create",
    "/discuss/channel/mark_as_unread",
    "/discuss/settings/mute",
    "/website/form/crm.lead",
    "/website/form",
    "/website/publish",
    "/shop/cart/update_json",
    "/my/orders/12/accept",
    "/survey/submit/4f2/5a1",
    "/im_livechat/get_session",
    "/calendar/meeting/accept",
    "/jsonrpc",
    "/json/1/res.partner",
    "/json/2/res.partner/read",
    "/xmlrpc/2/object",
    "/en/web/dataset/call_kw/res.partner/read",
    "/Web/dataset/call_kw/res.partner/read",
    "/web/dataset//call_kw/res.partner/read",
    "/web/dataset/call_kw/../call_button",
    "/odoo/web/dataset/call_kw",
    "/",
    "/odoo",
]


@pytest.mark.parametrize("target", CALLS)
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=UTF-8"],
)
def test_the_body_of_a_known_call_decides(target: str, content_type: str) -> None:
    assert post(target, content_type) is RouteRuling.CALL
    if "dataset" in target or "mark" in target or "presence" in target:
        assert get(target) is RouteRuling.REFUSED


@pytest.mark.parametrize("target", REFUSED_POSTS)
def test_every_other_call_is_refused(target: str) -> None:
    assert post(target) is RouteRuling.REFUSED


@pytest.mark.parametrize("target", CALLS)
@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "text/json",
        "application/json-rpc",
        "application/xml",
        "application/json, text/plain",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        'application/json; charset="utf-8"',
        "application/json; boundary=x",
        "application/json; charset=utf-8; charset=utf-16",
        "application/jsonx",
        "application/json\x0b",
    ],
)
def test_a_call_is_json_and_nothing_else(target: str, content_type: str) -> None:
    assert post(target, content_type) is RouteRuling.REFUSED


def test_a_call_has_a_body() -> None:
    assert rule_on_route(b"POST", b"/web/dataset/call_kw", JSON, False) is RouteRuling.REFUSED


@pytest.mark.parametrize("method", [b"PUT", b"PATCH", b"DELETE", b"QUERY", b"post"])
def test_a_call_is_a_post(method: bytes) -> None:
    assert rule_on_route(method, b"/web/dataset/call_kw", JSON, True) is RouteRuling.REFUSED


@given(st.sampled_from(sorted(REFUSED_GETS)), st.sets(st.integers(1, 40)))
def test_no_escaping_opens_a_route(target: str, places: set[int]) -> None:
    path, question, query = target.partition("?")
    spelled = "".join(
        f"%{ord(letter):02x}" if i in places and letter.isalnum() and "%" not in path else letter
        for i, letter in enumerate(path)
    )
    assert get(spelled + question + query) is RouteRuling.REFUSED


@given(st.binary(max_size=40), st.binary(max_size=20), st.booleans())
def test_any_bytes_are_ruled_on(target: bytes, content_type: bytes, has_body: bool) -> None:
    for method in (b"GET", b"POST"):
        assert isinstance(rule_on_route(method, b"/" + target, content_type, has_body), RouteRuling)


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("/my/orders/12?access_token=0b5e", "/my/orders/12"),
        ("/my/orders/12?access%5Ftoken=0b5e&sortby=date", "/my/orders/12?sortby=date"),
        ("/fr/my/invoices/3?a=1&access_token=x&access_token=y", "/fr/my/invoices/3?a=1"),
        ("/my/orders/12?sortby=date", "/my/orders/12?sortby=date"),
        ("/my", "/my"),
        ("/web/content/5?access_token=x", "/web/content/5?access_token=x"),
        ("/web/image/5?access_token=x&unique=1", "/web/image/5?access_token=x&unique=1"),
    ],
)
def test_a_token_of_the_portal_goes_no_further(target: str, sent: str) -> None:
    assert target_to_read(target.encode()).decode() == sent


def test_a_route_is_ruled_on_once_and_a_long_one_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [("GET", "/shop?search=a", "", False), ("POST", "/web/dataset/call_kw/x/read", "application/json", True)]
    before = [
        rule_on_route(method.encode(), target.encode(), kind.encode(), body) for method, target, kind, body in asked
    ]
    held = routes._rule_again.cache_info().currsize
    assert rule_on_route(b"GET", b"/shop?search=" + b"a" * 600, b"", False) is RouteRuling.READS
    assert routes._rule_again.cache_info().currsize == held
    monkeypatch.setattr(routes, "judge", None)
    again = [
        rule_on_route(method.encode(), target.encode(), kind.encode(), body) for method, target, kind, body in asked
    ]
    assert again == before == [RouteRuling.READS, RouteRuling.CALL]
