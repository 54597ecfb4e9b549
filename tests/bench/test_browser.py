"""What the bench's load looks like to a proxy."""

from __future__ import annotations

from bench.browser import Jar, browser_requests


def test_requests_are_a_browsers_and_vary_as_in_life() -> None:
    jars = [
        Jar({"guestpass": f"pass-{visitor}", "session_id": "0123", "frontend_lang": "de", "tz": "UTC"}, "session_id")
        for visitor in range(4)
    ]
    requests = browser_requests("http://127.0.0.1:8000", jars)
    assert all(len(request.fields) == 10 for request in requests)
    assert all(dict(request.fields)["Cookie"].count("=") == 4 for request in requests)
    assert all(f"pass-{request.visitor};" in dict(request.fields)["Cookie"] for request in requests)
    # Each visitor asks for four kinds of things, so no head comes twice in a row and every pass is asked for often.
    assert len({request.fields for request in requests}) == 4 * len(jars)
    assert len({(request.fields, request.place) for request in requests}) == len(requests) == 64
    # A cache of whole heads can't know one request in four.
    assert sum(request.is_new for request in requests) == 16
    assert browser_requests("http://127.0.0.1:8000", jars) == requests
