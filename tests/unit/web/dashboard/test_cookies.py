from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from guestpass.web.dashboard import cookies
from guestpass.web.dashboard.cookies import Flash


def sent_back(response: Response) -> Request:
    """The request of a browser that got this answer."""
    pairs = [value.partition(";")[0] for name, value in response.headers.items() if name == "set-cookie"]
    return Request({"type": "http", "headers": [(b"cookie", "; ".join(pairs).encode())]})


def test_with_https_the_session_is_bound_to_its_host_and_to_https() -> None:
    response = Response()
    cookies.set_session(response, "a-token", secure=True)
    cookie = response.headers["set-cookie"]
    # RFC 6265bis, section 4.1.3.2: Secure, Path=/ and no Domain, or the browser refuses it.
    assert cookie.startswith("__Host-guestpass_dashboard=a-token;")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert attributes == {"secure", "httponly", "path=/", "samesite=strict", "max-age=43200"}
    assert cookies.session_token(sent_back(response), secure=True) == "a-token"


def test_with_https_a_cookie_that_a_neighbour_could_have_written_is_not_read() -> None:
    response = Response()
    cookies.set_session(response, "a-token", secure=False)
    assert cookies.session_token(sent_back(response), secure=True) is None


def test_a_message_is_read_by_the_session_that_it_was_left_for_and_by_no_other() -> None:
    response = Response()
    cookies.set_flash(response, Flash("good", "Saved, at last: \u00e4."), "a-token", secure=False)
    request = sent_back(response)
    assert cookies.take_flash(request, "a-token", secure=False) == Flash("good", "Saved, at last: \u00e4.")
    assert cookies.take_flash(request, "another", secure=False) is None


def test_a_message_that_somebody_else_wrote_is_not_shown() -> None:
    for value in ("", ".", "WyJnb29kIiwieCJd", "WyJnb29kIiwieCJd.00", "\u00e4.\u00e4"):
        header = f"guestpass_flash={value}".encode("latin-1")
        request = Request({"type": "http", "headers": [(b"cookie", header)]})
        assert cookies.take_flash(request, "a-token", secure=False) is None
