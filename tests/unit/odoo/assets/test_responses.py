"""Heads of stored assets, which are made once for all who get the same answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.unit.gateway.requests import request

from guestpass.gateway.cookies import EnvironmentCookies
from guestpass.gateway.head_rewriting import EnvironmentResponse
from guestpass.odoo.assets import responses
from guestpass.odoo.assets.bodies import Reader, StoredForm
from guestpass.odoo.assets.files import Label
from guestpass.odoo.assets.responses import Asset, answer
from guestpass.odoo.http.compression import Effort, Encoding

_TAG = b'"433689c8aaa33312"'
_FIELDS = (
    (b"Content-Type", b"application/javascript; charset=utf-8"),
    (b"Cache-Control", b"public, max-age=31536000, immutable"),
    (b"ETag", _TAG),
    (b"Last-Modified", b"Mon, 23 Nov 2026 06:41:07 GMT"),
)
_READER = Reader(ThreadPoolExecutor(1), lambda _: None, limit=0)
_BROWSER = "Accept-Encoding: gzip, deflate, br, zstd"


def _form(encoding: Encoding | None, length: int) -> StoredForm:
    label = Label(
        fill="1",
        environment="default/staging",
        revision=1,
        path=b"/web/assets/1/x.js",
        fields=_FIELDS,
        encoding=encoding,
        effort=Effort.BEST,
        length=length,
    )
    return StoredForm(label, Path(f"/nowhere/{encoding}"), is_proved=True)


def _asset() -> Asset:
    asset = Asset("1", _FIELDS, _form(None, 5000))
    asset.add_form(Encoding.BROTLI, _form(Encoding.BROTLI, 900))
    return asset


def _visitor_gets(asset: Asset, *fields: str, method: str = "GET") -> tuple[int, bytes, int | None]:
    head = answer(asset, request(f"{method} /web/assets/1/x.js", *fields), _READER).head
    cookies = EnvironmentCookies(b"tag", http_only=frozenset(), now=0.0, ends_at=1.0, secure=True, learn=lambda _: None)
    lines = EnvironmentResponse(cookies, shares_origin=True).fields(head)
    return head.status, b"".join(line for line in lines if not line.startswith(b"Date")), head.content_length


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (_BROWSER,),
        ("Accept-Encoding: gzip",),
        (_BROWSER, f"If-None-Match: {_TAG.decode()}"),
        (_BROWSER, 'If-None-Match: W/"433689c8aaa33312--br"'),
        (_BROWSER, 'If-None-Match: "another", W/"433689c8aaa33312--br"'),
        (_BROWSER, "If-None-Match: *"),
        (_BROWSER, "If-Modified-Since: Mon, 23 Nov 2026 06:41:07 GMT"),
        (_BROWSER, "Range: bytes=0-9"),
        (_BROWSER, "Range: bytes=9999-"),
    ],
)
def test_an_answer_is_the_same_whatever_was_answered_before(fields: tuple[str, ...]) -> None:
    alone = _visitor_gets(_asset(), *fields)
    asset = _asset()
    for others in ((), (_BROWSER,), (_BROWSER, f"If-None-Match: {_TAG.decode()}"), (_BROWSER, "Range: bytes=3-4")):
        _visitor_gets(asset, *others)
        assert _visitor_gets(asset, *fields) == alone


def test_the_head_of_an_answer_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asset = _asset()
    asked = ((_BROWSER,), (_BROWSER, 'If-None-Match: W/"433689c8aaa33312--br"'))
    before = [_visitor_gets(asset, *fields) for fields in asked]
    monkeypatch.setattr(responses, "_head", None)
    assert [_visitor_gets(asset, *fields) for fields in asked] == before
    assert [status for status, _, _ in before] == [200, 304]


def test_a_better_form_is_served_as_soon_as_it_is_there() -> None:
    asset = _asset()
    assert _visitor_gets(asset, _BROWSER)[2] == 900
    asset.add_form(Encoding.BROTLI, _form(Encoding.BROTLI, 700))
    assert _visitor_gets(asset, _BROWSER)[2] == 700
    asset.add_form(Encoding.ZSTD, _form(Encoding.ZSTD, 600))
    assert _visitor_gets(asset, _BROWSER)[2] == 600


def test_who_accepts_codings_that_nobody_has_fills_no_memory() -> None:
    asset = _asset()
    for number in range(1000):
        assert _visitor_gets(asset, f"Accept-Encoding: x{number}, br")[2] == 900
    assert len(asset._best) <= 32
