"""What a check of an Odoo finds, and that it leaves nothing behind in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from tests.doubles.odoo.handle import Odoo
from tests.environment_checks import environment_checker
from tests.odoo.running import running_odoo
from tests.storage.samples import make_environment

from guestpass.app.environment_check import CheckReport
from guestpass.domain.environment import BusPlace, Environment, Kind
from guestpass.gateway.address_policy import AddressPolicy
from guestpass.system import SystemEntropy
from guestpass.wire.connector import Connector
from guestpass.wire.resolver import Resolver

OWN_NAME = "https://odoo.example.com"


@pytest.fixture(scope="module")
def odoo() -> Iterator[Odoo]:
    """A prefork Odoo as it comes."""
    with running_odoo() as running:
        yield running


def environment(url: str, **fields: Any) -> Environment:
    """One that nothing is known of yet."""
    unknown = {
        "websocket_url": None, "public_url": None, "database": None, "odoo_version": None, "canonical_url": None,
        "websocket_on": None, "found_websocket_url": None, "checked_at": None,
    }  # fmt: skip
    return make_environment(url=url, **unknown | fields)


async def check(odoo: Odoo | str, fields: dict[str, Any] | None = None, **options: Any) -> CheckReport:
    """Check it; `options` are fields as well, or `deny` (a network) and `gevent_port`."""
    fields = {**(fields or {}), **options}
    deny, gevent_port = fields.pop("deny", ""), fields.pop("gevent_port", 0)
    url = odoo if isinstance(odoo, str) else odoo.url
    port = gevent_port or (odoo.gevent_port if isinstance(odoo, Odoo) else 8072)
    denied = [ip_network(deny)] if deny else []
    connector = Connector(AddressPolicy(allow=[], deny=denied, own_listeners=[]), Resolver())
    return await environment_checker(connector, SystemEntropy(), gevent_port=port).check(environment(url, **fields))


def codes(report: CheckReport) -> list[str]:
    return [finding.code for finding in report.findings]


async def test_a_prefork_odoo_as_it_comes(odoo: Odoo) -> None:
    report = await check(odoo)
    assert report.odoo_version == f"{odoo.major}.0"
    assert report.canonical_url == odoo.base_url
    assert (report.websocket, report.found_websocket_url) == (BusPlace.GEVENT, odoo.websocket_url)
    assert codes(report) == ["database_manager_open", "database_listing_open", "base_url_unknown"]
    base_url = report.findings[-1]
    assert "publicUrl" in base_url.remedy
    assert "web.base.url.freeze" in base_url.remedy


@pytest.mark.double_only("is set up otherwise")
async def test_nothing_is_found_at_an_odoo_that_is_set_up_well() -> None:
    with running_odoo(list_db=False, base_url=OWN_NAME, workers=0) as odoo:
        report = await check(odoo, public_url=OWN_NAME)
        assert report.findings == ()
        assert (report.websocket, report.found_websocket_url) == (BusPlace.SAME, None)
        assert report.canonical_url == OWN_NAME


async def test_odoo_is_called_by_the_name_that_visitors_will_call_it_by(odoo: Odoo) -> None:
    for name, fields in (
        (odoo.url, {}),
        (OWN_NAME, {"public_url": OWN_NAME, "canonical_url": "https://www.example.com"}),
        ("https://www.example.com", {"canonical_url": "https://www.example.com"}),
    ):
        odoo.forget()
        await check(odoo, fields)
        seen = odoo.requests()
        scheme, _, host = name.partition("://")
        assert len(seen) > 6
        for request in seen:
            sent = {key.lower(): value for key, value in request["fields"]}
            assert sent["host"] == host
            if request["target"] == "/robots.txt":
                assert sent["x-forwarded-host"] == "probe.invalid"
            else:
                assert (sent["x-forwarded-host"], sent["x-forwarded-proto"]) == (host, scheme)


async def test_a_look_changes_nothing_in_odoo(odoo: Odoo) -> None:
    before = odoo.base_url
    await check(odoo, public_url=OWN_NAME)
    assert odoo.base_url == before
    assert [session for session in odoo.state()["sessions"] if session["uid"] is not None] == []
    pages = [request["target"] for request in odoo.requests() if request["method"] == "POST"]
    polled = "/websocket/peek_notifications"
    assert set(pages) <= {"/web/webclient/version_info", "/web/database/list", "/jsonrpc", polled}


@pytest.mark.parametrize(
    ("version", "is_measured"),
    [("16.0", False), ("17.0-20261101", True), ("18.0", True), ("19.0", True), ("20.0", False), ("18.0+e", False),
     ("18.0+e-20261101", False), ("saas~18.2", False)],
)  # fmt: skip
async def test_a_version_or_edition_that_was_not_measured_is_told(version: str, *, is_measured: bool) -> None:
    def answers(target: str) -> bytes:
        if target == "/web/webclient/version_info":
            return plain("200 OK", f'{{"jsonrpc": "2.0", "id": 1, "result": {{"server_version": "{version}"}}}}')
        return plain("404 Not Found")

    report, _ = await check_other(answers)
    assert report.odoo_version == version
    assert ("version_not_measured" not in codes(report)) is is_measured


@pytest.mark.parametrize("databases", ["demo18", "demo18,second"])
@pytest.mark.double_only("is set up otherwise")
async def test_a_database_that_is_not_there_is_told_also_where_there_is_one_alone(databases: str) -> None:
    with running_odoo(databases=databases, list_db=False) as odoo:
        assert "unknown_database" in codes(await check(odoo, database="nope"))
        assert "unknown_database" not in codes(await check(odoo, database="demo18"))


@pytest.mark.double_only("has another port that answers and is no bus")
async def test_the_gevent_port_is_not_taken_for_granted(odoo: Odoo) -> None:
    nothing = await check(odoo, gevent_port=1)
    assert (nothing.websocket, nothing.found_websocket_url) == (BusPlace.NONE, None)
    assert "websocket_not_found" in codes(nothing)
    # Something that answers there, and is no bus.
    other = await check(odoo, gevent_port=odoo.control_port)
    assert (other.websocket, other.found_websocket_url) == (BusPlace.NONE, None)


@pytest.mark.parametrize("databases", ["demo18", "another"])
@pytest.mark.double_only("is set up otherwise")
async def test_the_bus_of_another_odoo_is_not_used(odoo: Odoo, databases: str) -> None:
    with running_odoo(databases=databases) as other:
        report = await check(odoo, gevent_port=other.gevent_port)
        assert (report.websocket, report.found_websocket_url) == (BusPlace.NONE, None)
        assert [code for code in codes(report) if code.startswith("websocket")] == ["websocket_of_another"]
        assert other.sessions() == []


async def test_the_owners_word_about_the_bus_wins_and_is_tried(odoo: Odoo) -> None:
    right = await check(odoo, websocket_url=odoo.websocket_url)
    assert (right.websocket, right.found_websocket_url) == (BusPlace.CONFIGURED, None)
    assert not [code for code in codes(right) if code.startswith("websocket")]
    wrong = await check(odoo, websocket_url=odoo.url)
    assert (wrong.websocket, wrong.found_websocket_url) == (BusPlace.CONFIGURED, None)
    assert "websocket_unanswered" in codes(wrong)
    gone = await check(odoo, websocket_url="http://127.0.0.1:1")
    assert "websocket_unanswered" in codes(gone)
    assert "check_incomplete" not in codes(gone)


@pytest.mark.double_only("is set up otherwise")
async def test_several_databases_are_told_until_one_is_named() -> None:
    with running_odoo(databases="alpha,beta", list_db=False, proxy_mode=False) as odoo:
        unnamed = await check(odoo)
        assert "several_databases" in codes(unnamed)
        assert unnamed.odoo_version == f"{odoo.major}.0"
        named = await check(odoo, database="beta")
        assert not {"several_databases", "unknown_database"} & set(codes(named))
        # Without a database neither pages nor the bus would answer.
        assert named.canonical_url == f"http://localhost:{odoo.port}"
        assert named.websocket is BusPlace.GEVENT
        assert "forwarding_ignored" in codes(named)
        assert "unknown_database" in codes(await check(odoo, database="gamma"))


@pytest.mark.double_only("is set up otherwise")
async def test_a_database_that_goes_by_the_host_is_found_under_the_public_name() -> None:
    with running_odoo(databases="alpha,beta", dbfilter="^%d$", workers=0) as odoo:
        assert "several_databases" in codes(await check(odoo))
        known = await check(odoo, public_url="https://beta.example.com")
        assert "several_databases" not in codes(known)
        assert known.websocket is BusPlace.SAME


@pytest.mark.parametrize(
    ("options", "fields", "code"),
    [
        ({"proxy_mode": False}, {}, "forwarding_ignored"),
        ({"x_sendfile": True}, {}, "x_sendfile"),
        ({"base_url": "http://10.0.0.5:8069"}, {"public_url": OWN_NAME}, "base_url_differs"),
        ({"base_url": OWN_NAME, "website_domain": "https://www.example.com"}, {}, "base_url_unknown"),
    ],
)
@pytest.mark.double_only("is set up otherwise")
async def test_what_is_set_up_otherwise_is_found_with_its_remedy(
    options: dict[str, Any], fields: dict[str, Any], code: str
) -> None:
    with running_odoo(**options) as odoo:
        found = {finding.code: finding for finding in (await check(odoo, **fields)).findings}
        assert code in found
        assert len(found[code].remedy) > 20
        others = {"forwarding_ignored", "x_sendfile", "base_url_differs"} - {code}
        assert not others & set(found)


@pytest.mark.double_only("is set up otherwise")
async def test_a_database_manager_that_is_switched_off_is_no_finding() -> None:
    with running_odoo(list_db=False) as odoo:
        assert not {"database_manager_open", "database_listing_open"} & set(codes(await check(odoo)))


async def test_what_was_known_stays_while_nothing_answers() -> None:
    known = {
        "odoo_version": "18.0", "canonical_url": OWN_NAME, "websocket_on": BusPlace.GEVENT,
        "found_websocket_url": "http://127.0.0.1:8072",
    }  # fmt: skip
    report = await check("http://127.0.0.1:1", known)
    assert codes(report) == ["unreachable"]
    assert (report.odoo_version, report.canonical_url) == ("18.0", OWN_NAME)
    assert (report.websocket, report.found_websocket_url) == (BusPlace.GEVENT, "http://127.0.0.1:8072")
    assert "127.0.0.1" not in report.findings[0].detail


async def test_a_question_without_an_answer_spoils_no_other(odoo: Odoo) -> None:
    odoo.trouble("/web/login", cut=True)
    try:
        report = await check(odoo, canonical_url=OWN_NAME)
    finally:
        odoo.release()
    assert report.odoo_version == f"{odoo.major}.0"
    assert report.websocket is BusPlace.GEVENT
    assert {"check_incomplete", "database_manager_open"} <= set(codes(report))


async def test_an_odoo_that_is_slow_is_not_waited_for_longer_than_allowed(odoo: Odoo) -> None:
    connector = Connector(AddressPolicy(allow=[], deny=[], own_listeners=[]), Resolver())
    checker = environment_checker(connector, SystemEntropy(), gevent_port=odoo.gevent_port, seconds=1.0)
    odoo.trouble("/web/login", held=True)
    try:
        report = await checker.check(environment(odoo.url, canonical_url=OWN_NAME))
    finally:
        odoo.release()
    assert report.odoo_version == f"{odoo.major}.0"
    assert report.canonical_url == OWN_NAME
    assert codes(report) == ["base_url_unknown", "check_incomplete"]


async def test_an_address_that_is_denied_is_not_connected_to(odoo: Odoo) -> None:
    odoo.forget()
    report = await check(odoo, deny="127.0.0.0/8")
    assert codes(report) == ["address_refused"]
    assert "UPSTREAM_ALLOW" in report.findings[0].remedy
    assert odoo.requests() == []


async def test_a_web_environment_is_connected_to_and_asked_nothing(odoo: Odoo) -> None:
    odoo.forget()
    assert (await check(odoo, kind=Kind.WEB)) == CheckReport()
    assert odoo.requests() == []
    assert codes(await check("http://127.0.0.1:1", kind=Kind.WEB)) == ["unreachable"]


Answers = Callable[[str], bytes]


class Other:
    """Something that is not the double: it answers as `answers` says to each target."""

    def __init__(self, answers: Answers, seconds: float = 0.0) -> None:
        self.answers = answers
        self.targets: list[str] = []
        self.most_at_once = 0
        self._seconds = seconds
        self._now = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        target = head.split(" ")[1]
        self.targets.append(target)
        length = head.lower().partition("content-length: ")[2].partition("\r")[0]
        await reader.readexactly(int(length or 0))
        await asyncio.sleep(self._seconds)
        self._now -= 1
        writer.write(self.answers(target))
        writer.close()


async def check_other(
    answers: Answers, *, gevent_port: int = 1, database: str | None = None
) -> tuple[CheckReport, list[str]]:
    other = Other(answers)
    async with await asyncio.start_server(other.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        report = await check(f"http://127.0.0.1:{port}", gevent_port=gevent_port, database=database)
    return report, other.targets


async def test_an_odoo_is_asked_two_things_at_a_time_however_many_checks_run() -> None:
    other = Other(older, seconds=0.05)
    checker = environment_checker(
        Connector(AddressPolicy(allow=[], deny=[], own_listeners=[]), Resolver()), SystemEntropy()
    )
    async with await asyncio.start_server(other.serve, "127.0.0.1", 0) as server:
        checked = environment(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        reports = await asyncio.gather(*(checker.check(checked) for _ in range(4)))
    assert [report.odoo_version for report in reports] == ["15.0"] * 4
    assert other.most_at_once == 2


async def test_an_odoo_without_a_website_says_nothing_of_its_base_url_whatever_is_set() -> None:
    other = Other(older)
    async with await asyncio.start_server(other.serve, "127.0.0.1", 0) as server:
        report = await check(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", public_url=OWN_NAME)
    assert report.canonical_url is None
    assert "base_url_unknown" in codes(report)


def plain(status: str, body: str = "", *fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {len(body)}", *fields, "", body]
    return "\r\n".join(lines).encode()


SECRET = "the-secret-of-an-internal-page"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (plain("200 OK", f"<html>{SECRET}</html>"), "not_odoo"),
        (plain("200 OK", f'{{"result": {{"server_version": "{SECRET}<script>"}}}}'), "not_odoo"),
        (plain("404 Not Found", SECRET), "not_odoo"),
        (plain("200 OK", "[" * 100_000), "not_odoo"),
        (plain("301 Moved Permanently", "", f"Location: https://{SECRET}.example/"), "redirecting"),
        (plain("502 Bad Gateway", SECRET), "unreachable"),
        (f"SSH-2.0-{SECRET}\r\n\r\n".encode(), "unreachable"),
        (b"", "unreachable"),
    ],
)
async def test_what_is_no_odoo_is_told_without_its_words(answer: bytes, code: str) -> None:
    report, targets = await check_other(lambda _: answer)
    assert codes(report) == [code]
    assert SECRET not in repr(report)
    assert len(targets) <= 3
    assert report.odoo_version is None


async def test_a_login_page_that_redirects_to_itself_means_that_the_database_is_not_there() -> None:
    def answers(target: str) -> bytes:
        # As Odoo 18 does without a dbfilter that excludes the name.
        if target == "/web/webclient/version_info":
            return plain("200 OK", '{"jsonrpc": "2.0", "id": 1, "result": {"server_version": "18.0"}}')
        return plain("302 Found", "", f"Location: {target}") if target.startswith("/web/login") else plain("404 No")

    assert "unknown_database" in codes((await check_other(answers, database="nope"))[0])


async def test_no_redirect_is_followed() -> None:
    def answers(target: str) -> bytes:
        if target == "/web/webclient/version_info":
            return plain("200 OK", '{"jsonrpc": "2.0", "id": 1, "result": {"server_version": "17.0+e"}}')
        return plain("303 See Other", "", "Location: /elsewhere")

    report, targets = await check_other(answers)
    assert report.odoo_version == "17.0+e"
    assert "/elsewhere" not in targets


def older(target: str) -> bytes:
    """Odoo 15 with workers, whose main port has no bus."""
    if target == "/web/webclient/version_info":
        return plain("200 OK", '{"jsonrpc": "2.0", "id": 1, "result": {"server_version": "15.0"}}')
    if target == "/longpolling/poll":
        return plain("200 OK", '{"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "message": "Odoo Server Error"}}')
    return plain("404 Not Found")


@pytest.mark.double_only("is set up otherwise")
async def test_an_older_odoo_is_asked_for_its_longpolling() -> None:
    with running_odoo(version="15.0") as odoo:
        report, targets = await check_other(older, gevent_port=odoo.gevent_port)
        assert (report.websocket, report.found_websocket_url) == (BusPlace.GEVENT, odoo.websocket_url)
        assert report.odoo_version == "15.0"
        assert not [target for target in targets if target.startswith("/websocket")]
        [polled] = odoo.requests("/longpolling/poll")
        assert polled["port"] == "evented"
    report, _ = await check_other(older)
    assert "websocket_not_found" in codes(report)


@pytest.mark.parametrize(
    ("link", "canonical"),
    [
        ('<link rel="canonical" href="https://Odoo.Example.com:443/web/login"/>', "https://odoo.example.com"),
        ("<LINK HREF='http://[::1]:8069/x' REL=canonical>", "http://[::1]:8069"),
        ('<link rel="canonical" href="/web/login"/>', None),
        ('<link rel="canonical" href="javascript://odoo.example.com/"/>', None),
        ('<link rel="canonical" href="https://user@odoo.example.com/"/>', None),
        ('<link rel="canonical" href="https://odoo example/"/>', None),
        ('<link rel="canonical" href="https://odoo.example.com\r\nX-Evil: 1/"/>', None),
        ('<link rel="stylesheet" href="https://odoo.example.com/"/>', None),
        ("<!--" * 20_000, None),
    ],
)
async def test_only_an_origin_counts_as_a_canonical_address(link: str, canonical: str | None) -> None:
    def answers(target: str) -> bytes:
        if target == "/web/health":
            return plain("200 OK", '{"status": "pass"}')
        return plain("200 OK", f"<html><head>{link}</head></html>") if target == "/" else plain("404 Not Found")

    report, _ = await check_other(answers)
    assert report.canonical_url == canonical
    assert "base_url_unknown" in codes(report)
