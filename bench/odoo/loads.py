"""What visitors of an Odoo ask for, and the proof that each way answers it as it should before its cost counts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic, sleep
from typing import NamedTuple

import httpx2

from bench.browser import Fields, Request
from bench.candidates import Candidate
from bench.load import head_of
from bench.odoo import upstream
from bench.odoo.upstream import OdooUpstream
from bench.odoo.ways import is_cached, reader
from bench.processes import NotReady
from bench.upstream import PLACES
from bench.web_client.wire import DECODERS

# In the place of a number of seven digits that is another one in each call.
_NUMBER = "1000000"
_FORMS_SECONDS = 60.0
_AGAIN = 16
_PLAIN = (
    *("display_name", "is_company", "type", "title", "function", "email", "phone", "mobile", "street", "zip", "city"),
    *("active", "color", "company_name", "avatar_128", "activity_state", "activity_exception_decoration"),
    "activity_exception_icon",
)
_PARTNER: dict[str, object] = {
    **{name: {} for name in _PLAIN},
    "parent_id": {"fields": {"display_name": {}}},
    "country_id": {"fields": {"display_name": {}}},
    "state_id": {"fields": {"display_name": {}}},
    "user_id": {"fields": {"display_name": {}}},
    "category_id": {"fields": {"display_name": {}, "color": {}}},
    "activity_ids": {"fields": {}},
}


@dataclass(frozen=True, slots=True)
class OdooLoad:
    """One kind of request; `destination` is Sec-Fetch-Dest of those who send it, `target` where it goes by place."""

    name: str
    title: str
    destination: str
    target: Callable[[int], str]
    body: str = ""
    status: int = 200


def _call(method: str, args: list[object], **kwargs: object) -> str:
    """A call of a model's method as Odoo 18's web client sends it."""
    context = {"lang": "en_GB", "tz": "Europe/Zurich", "uid": 2, "allowed_company_ids": [1]}
    kwargs["context"] = context | {"bin_size": True, "default_is_company": True}
    params = {"model": "res.partner", "method": method, "args": args, "kwargs": kwargs}
    call = {"id": int(_NUMBER), "jsonrpc": "2.0", "method": "call", "params": params}
    return json.dumps(call, separators=(",", ":"))


_SEARCH = _call(
    "web_search_read", [], specification=_PARTNER, offset=0, order="", limit=80, count_limit=10001, domain=[]
)
_WRITE = _call("web_save", [[7], {"name": "Somebody else"}], specification={"display_name": {}})
LOADS = {
    load.name: load
    for load in (
        OdooLoad("page", "GET, 1 KB of HTML", "document", lambda place: f"{upstream.PAGE}/{place + 1}"),
        OdooLoad("call", "POST, web_search_read, 1 KB", "empty", lambda _: upstream.CALL, _SEARCH),
        OdooLoad("bundle", "bundle of 100 KB", "script", lambda _: upstream.BUNDLE),
        OdooLoad("static", "static file of 1 KB", "image", lambda _: upstream.STATIC),
        OdooLoad("unchanged", "304 for that file", "image", lambda _: upstream.STATIC, status=304),
    )
}


class Answer(NamedTuple):
    """An answer and its decoded body; `coding` and `tag` are empty where it had none."""

    status: int
    coding: str
    body: bytes
    tag: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as it is sent."""

    target: str
    fields: Fields
    body: str = ""

    @property
    def parts(self) -> list[str]:
        """What the load generator sends; in two parts where a number is to be written between them."""
        method = "POST" if self.body else "GET"
        head = f"{method} {self.target} HTTP/1.1\r\n{head_of(self.fields)}\r\n"
        before, number, after = self.body.partition(_NUMBER)
        return [head + before, after] if number else [head]

    def send(self, client: httpx2.Client) -> Answer:
        """Ask once."""
        method = "POST" if self.body else "GET"
        fields = [field for field in self.fields if field[0] != "Content-Length"]
        with client.stream(method, self.target, headers=fields, content=self.body or None) as answer:
            received = b"".join(answer.iter_raw())
        coding = answer.headers.get("Content-Encoding", "")
        return Answer(answer.status_code, coding, DECODERS[coding](received), answer.headers.get("ETag", ""))


def asks(way: Candidate, odoo: OdooUpstream, requests: Sequence[Request]) -> dict[str, list[Ask]]:
    """What visitors with these requests ask for, by load; raises NotReady for the first thing that is answered wrongly.

    It also fills the caches, and waits until bundles come in their best form.
    """
    made: dict[str, list[Ask]] = {}
    with httpx2.Client(base_url=way.origin, timeout=_FORMS_SECONDS) as client:
        for load in LOADS.values():
            chosen = {
                # Pages are asked for at each address; other things have one only.
                (request.fields, request.place if load.name == "page" else 0): request
                for request in requests
                if dict(request.fields)["Sec-Fetch-Dest"] == load.destination
            }
            made[load.name] = [_ask(load, request, way, client) for request in chosen.values()]
            _prove(way, load, made[load.name], odoo, client)
        if way.name.startswith("view_only"):
            _prove_no_writing(way, made["call"], client)
    return made


def _ask(load: OdooLoad, request: Request, way: Candidate, client: httpx2.Client) -> Ask:
    fields = request.fields
    if load.body:
        *others, cookie = fields
        own = [("Content-Type", "application/json"), ("Content-Length", str(len(load.body))), ("Origin", way.origin)]
        fields = (*others, *own, cookie)
    ask = Ask(load.target(request.place % PLACES), fields, load.body)
    if load.status != 304:
        return ask
    tag = ask.send(client).tag
    return Ask(ask.target, (*fields[:-1], ("If-None-Match", tag), fields[-1]))


def _prove(way: Candidate, load: OdooLoad, made: Sequence[Ask], odoo: OdooUpstream, client: httpx2.Client) -> None:
    who = reader(way.name)
    expected = {
        "page": odoo.page(who),
        "call": odoo.call(who),
        "bundle": odoo.bundle,
        "static": odoo.static,
        "unchanged": b"",
    }[load.name]
    for ask in made:
        answer = ask.send(client)
        _hold(way, answer.status == load.status, f"answers {load.name} with {answer.status}: {answer.body[:200]!r}")
        _hold(way, answer.body == expected, f"answers {load.name} with another body: {answer.body[:200]!r}")
    if load.destination not in ("script", "image") or not is_cached(way.name):
        return
    if load.name == "bundle" and way.authorises:
        _wait_for_best_form(way, made, client)
    before = odoo.requests()
    for _ in range(_AGAIN):
        for ask in made:
            ask.send(client)
    # Guestpass may still look at a new environment meanwhile, but does not ask so often.
    asked = odoo.requests() - before
    _hold(way, asked < _AGAIN * len(made), f"asked Odoo {asked} times for {load.name}, which it should have kept")


def _wait_for_best_form(way: Candidate, made: Sequence[Ask], client: httpx2.Client) -> None:
    """Nothing may still be compressing when the clock runs."""
    deadline = monotonic() + _FORMS_SECONDS
    for ask in made:
        while ask.send(client).coding != "br":
            _hold(way, monotonic() < deadline, "did not bring the bundle in its best form in a minute")
            sleep(0.1)


def _prove_no_writing(way: Candidate, made: Sequence[Ask], client: httpx2.Client) -> None:
    for ask in made:
        fields = tuple((name, str(len(_WRITE)) if name == "Content-Length" else value) for name, value in ask.fields)
        answer = Ask(upstream.WRITE, fields, _WRITE).send(client)
        told = json.loads(answer.body)
        _hold(way, "error" in told and "result" not in told, f"let a view-only visitor write: {answer.body[:200]!r}")


def _hold(way: Candidate, holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotReady(f"{way.title} is not measured, because it {otherwise}.")
