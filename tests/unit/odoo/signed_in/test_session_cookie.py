from __future__ import annotations

import pytest

from guestpass.odoo.signed_in.session_cookie import session_set_by, with_session, without_session
from guestpass.wire.heads import read_response_head

OURS, EVIL = b"a" * 84, b"e" * 84


@pytest.mark.parametrize(
    ("cookie", "sent"),
    [
        (b"", b"session_id=" + OURS),
        (b"cids=1; tz=UTC", b"session_id=" + OURS + b"; cids=1; tz=UTC"),
        (b"session_id=" + EVIL, b"session_id=" + OURS),
        (b"session_id=x; cids=1; session_id=y", b"session_id=" + OURS + b"; cids=1"),
        (b"SESSION_ID=x; Session_id=y; cids=1", b"session_id=" + OURS + b"; cids=1"),
        (b"session_id; cids=1", b"session_id=" + OURS + b"; cids=1"),
        (b"\xa0session_id=x; session_id\x0b=x; __Host-session_id=x; cids=1", b"session_id=" + OURS + b"; cids=1"),
        (b"my_session_id=x; cids=1", b"session_id=" + OURS + b"; cids=1"),
        # The name in a value is nobody's session: ours comes first, and of two Odoo takes the first.
        (b"x=session_id=1; cids=1", b"session_id=" + OURS + b"; x=session_id=1; cids=1"),
    ],
)
def test_ours_goes_first_and_nothing_else_that_bears_the_name(cookie: bytes, sent: bytes) -> None:
    assert with_session(cookie, OURS) == sent


@pytest.mark.parametrize(
    ("cookie", "sent"), [(b"", b""), (b"session_id=x", b""), (b"cids=1; session_id=x; tz=UTC", b"cids=1; tz=UTC")]
)
def test_who_has_none_sends_none(cookie: bytes, sent: bytes) -> None:
    assert with_session(cookie, None) == sent


def head(*fields: bytes) -> bytes:
    return b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


@pytest.mark.parametrize(
    ("fields", "id"),
    [
        ((), None),
        ((b"Set-Cookie: frontend_lang=en_US; Path=/",), None),
        ((b"Set-Cookie: session_id=" + OURS + b"; Expires=x; HttpOnly; Path=/",), OURS),
        ((b"SET-COOKIE: Session_Id = " + OURS,), OURS),
        ((b'Set-Cookie: session_id="' + OURS + b'"; Path=/',), OURS),
        ((b"Set-Cookie: session_id=" + EVIL, b"Set-Cookie: session_id=" + OURS), OURS),
        # What can't be sent back is no session: a deletion, or something that would become another field.
        ((b"Set-Cookie: session_id=; Max-Age=0",), None),
        ((b"Set-Cookie: session_id=short",), None),
        ((b"Set-Cookie: session_id=" + b"a" * 201,), None),
        ((b"Set-Cookie: session_id=" + b"a" * 40 + b"=",), None),
        ((b"Set-Cookie: session_id=" + b"a" * 40 + b" x",), None),
        ((b"Set-Cookie: session_id=" + OURS, b"Set-Cookie: session_id=; Max-Age=0"), OURS),
    ],
)
def test_the_id_that_an_answer_sets_is_read(fields: tuple[bytes, ...], id: bytes | None) -> None:
    assert session_set_by(read_response_head(head(*fields)).fields) == id


def test_no_answer_sets_it_for_the_visitor() -> None:
    before = read_response_head(
        head(
            b"Set-Cookie: session_id=" + OURS + b"; HttpOnly",
            b"Set-Cookie: frontend_lang=en_US",
            b"set-cookie: SESSION_ID =",
            b"Set-Cookie: my_session_id=1",
            b"X-Other: session_id=1",
        )
    )
    after = without_session(before)
    assert [value for lower, _, value in after.fields if lower == b"set-cookie"] == [
        b"frontend_lang=en_US",
        b"my_session_id=1",
    ]
    assert len(before.fields) == len(after.fields) + 2, "the head that was read stays as it was"
    assert without_session(after) is after
