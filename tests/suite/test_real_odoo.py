"""What stands between the tests and a real Odoo: a survey of its source, and a recorder of what reaches it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import pytest
from tests.doubles.odoo.world import Trouble
from tests.real_odoo.recorder import Recorder, SocketSeen
from tests.real_odoo.server import OdooError, version_of
from tests.real_odoo.survey import survey_tree

CONTROLLER = """
from odoo import http
from . import const

PATH = "/shop"


class Shop(http.Controller):
    _hook = "/payment/x/webhook"

    @http.route([PATH, f"{PATH}/page/<int:page>"], auth="public", website=True)
    def shop(self): ...

    @http.route(_hook, type="jsonrpc", auth="none", csrf=False, methods=["POST"])
    def hook(self): ...

    @http.route([path for base in ("event", "events") for path in [f"/{base}", f"/{base}/all"]], type="http")
    def events(self): ...

    @http.route(const.RETURN)
    def back(self): ...

    @http.route()
    def extended(self): ...

    @http.route(make_a_path())
    def unread(self): ...
"""
SCRIPT = """
this.orm.call("crm.lead", "get_rainbowman_message", [[id]]);
this.orm.silent.call(this.props.resModel, "has_access", []);
await this.orm
    .cache({ type: "disk", callback: (result, hasChanged) => { if (hasChanged) { this.found = result; } } })
    .call("project.project", "get_template_tasks", [this.props.projectId]);
const found = await rpc("/mail/data", {});
await rpc(`/shop/country_info/${country}?x=1`);
class ORM { search(model, domain) { return this.call(model, "search", [domain]); } }
"""


def _module(folder: Path, name: str, manifest: str = "{}") -> Path:
    module = folder / "addons" / name
    (module / "static" / "src").mkdir(parents=True)
    (module / "__manifest__.py").write_text(manifest)
    return module


def test_a_survey_says_what_a_tree_has(tmp_path: Path) -> None:
    (tmp_path / "odoo").mkdir()
    (tmp_path / "odoo" / "release.py").write_text("version_info = (18, 0, 0, FINAL, 0, '')\n")
    module = _module(tmp_path, "website_sale")
    (module / "main.py").write_text(CONTROLLER)
    (module / "const.py").write_text('RETURN = "/payment/x/return"\n')
    (module / "models.py").write_text('class Lead(models.Model):\n    _inherit = ["crm.lead"]\n')
    (module / "static" / "src" / "main.js").write_text(SCRIPT)
    (_module(tmp_path, "theirs", '{"author": "Somebody"}') / "main.py").write_text(CONTROLLER)

    survey = survey_tree(tmp_path)

    public = {"auth": "public", "website": True}
    assert survey.version == "18.0"
    assert {each.pop("path"): each for each in survey.routes} == {
        "/event": {"module": "website_sale"},
        "/event/all": {"module": "website_sale"},
        "/events": {"module": "website_sale"},
        "/events/all": {"module": "website_sale"},
        "/payment/x/return": {"module": "website_sale"},
        "/payment/x/webhook": {
            "module": "website_sale", "type": "json", "auth": "none", "csrf": False, "methods": ["POST"],
        },
        "/shop": {"module": "website_sale", **public},
        "/shop/page/<int:page>": {"module": "website_sale", **public},
    }  # fmt: skip
    assert survey.unread == ["website_sale: unread"]
    assert survey.models == ["crm.lead"]
    assert survey.calls == [
        "*/has_access",
        "*/search",
        "crm.lead/get_rainbowman_message",
        "project.project/get_template_tasks",
    ]
    assert survey.rpc == ["/mail/data", "/shop/country_info/{}"]


def test_what_is_no_tree_of_odoo_is_said(tmp_path: Path) -> None:
    with pytest.raises(OdooError, match=r"has no odoo/release\.py"):
        version_of(tmp_path)


class _Upstream(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = self.headers["Content-Length"]
        body = self.rfile.read(int(length or int(self.rfile.readline(), 16)))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with HTTPServer(("127.0.0.1", 0), _Upstream) as upstream:
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        recorder = Recorder({"http": upstream.server_port}, lambda _seen, _answer: None)
        recorder.open()
        yield recorder
        recorder.close()
        upstream.shutdown()


def _post(recorder: Recorder, path: str, **sent: object) -> httpx2.Response:
    return httpx2.post(f"http://127.0.0.1:{recorder.ports['http']}{path}", **sent)  # type: ignore[arg-type]


def test_what_arrives_is_written_down_and_passed_on(recorder: Recorder) -> None:
    assert _post(recorder, "/a?x=1", content=b"hello", headers={"X-Field": "y"}).text == "hello"
    assert _post(recorder, "/b", content=iter([b"in ", b"parts"])).status_code == 200
    first, second = recorder.journal.listed()
    assert (first["method"], first["target"], first["body"], first["status"]) == ("POST", "/a?x=1", "hello", 200)
    assert ("X-Field", "y") in [(name.title(), value) for name, value in first["fields"]]
    assert (second["body"], second["body_bytes"]) == ("in parts", 8)
    assert recorder.journal.connections == 2


def test_it_makes_the_trouble_that_is_ordered(recorder: Recorder) -> None:
    recorder.troubles.order(Trouble("/answered", status=503, body="Not now"))
    recorder.troubles.order(Trouble("/cut", cut=True))
    recorder.troubles.order(Trouble("/held", held=True))
    answered = _post(recorder, "/answered", content=b"x")
    assert (answered.status_code, answered.text) == (503, "Not now")
    with pytest.raises(httpx2.HTTPError):
        _post(recorder, "/cut", content=b"x" * 1000)
    with pytest.raises(httpx2.TimeoutException):
        _post(recorder, "/held", content=b"x", timeout=0.2)
    recorder.troubles.release()
    assert _post(recorder, "/held", content=b"x").status_code == 200


def test_it_can_be_gone_for_a_while(recorder: Recorder) -> None:
    recorder.close()
    with pytest.raises(httpx2.ConnectError):
        _post(recorder, "/", content=b"x")
    recorder.open()
    assert _post(recorder, "/", content=b"x").text == "x"


def test_it_reads_what_a_client_says_on_a_websocket() -> None:
    seen = Recorder({"http": 1}, lambda _seen, _answer: None).journal.note(
        port="evented", worker=0, peer="", method="GET", target="/websocket", version="HTTP/1.1", fields=[]
    )
    heard = SocketSeen(seen)
    mask = b"\1\2\3\4"

    def frame(first: int, text: bytes) -> bytes:
        length = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
        return bytes([first]) + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(text))

    sent = frame(0x01, b"one, ") + frame(0x89, b"ping") + frame(0x80, b"in parts") + frame(0x81, b"x" * 300)
    for i in range(0, len(sent), 7):
        heard.heard(sent[i : i + 7])
    assert heard.texts == ["one, in parts", "x" * 300]


def test_a_port_that_is_open_refuses_nobody_it_knows_nothing_of(recorder: Recorder) -> None:
    """Who connects and leaves is no request."""
    with socket.create_connection(("127.0.0.1", recorder.ports["http"])):
        pass
    assert _post(recorder, "/", content=b"x").status_code == 200
    assert len(recorder.journal.listed()) == 1
