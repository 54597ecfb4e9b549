from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.gateway.paths import Room, Route, read_path

ELSEWHERE = Route(Room.ELSEWHERE)


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/share/gp_x", Route(Room.OPEN, token="gp_x")),
        ("/share/gp_x/login", Route(Room.LOGIN, token="gp_x")),
        ("/share/gp_x/", Route(Room.OPEN, token="gp_x")),
        ("/share/login", Route(Room.OPEN, token="login")),
        ("/share/", Route(Room.OPEN, token="")),
        ("/share/%67p_x", Route(Room.OPEN, token="%67p_x")),
        ("/s-proxy/", Route(Room.PROXY, path=b"/")),
        ("/s-proxy/web/login", Route(Room.PROXY, path=b"/web/login")),
        ("/s-proxy//double", Route(Room.PROXY, path=b"//double")),
        ("/s-proxy/%2e%2e/a%20b", Route(Room.PROXY, path=b"/%2e%2e/a%20b")),
        ("/s-proxy/share/gp_x", Route(Room.PROXY, path=b"/share/gp_x")),
        ("/s-proxy/s-proxy/x", Route(Room.PROXY, path=b"/s-proxy/x")),
    ],
)
def test_the_public_three_are_ours_with_and_without_api(prefix: str, path: str, route: Route) -> None:
    assert read_path(f"{prefix}{path}".encode()) == route


@pytest.mark.parametrize(
    "path", ["/api/environments", "/api/environments/", "/api/environments/x/share/y/permanent", "/api/openapi.json"]
)
def test_the_api(path: str) -> None:
    assert read_path(path.encode()) == Route(Room.API)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "*",
        "/share",
        "/api/share",
        "/s-proxy",
        "/api/s-proxy",
        "/shared/gp_x",
        "/Share/gp_x",
        "//share/gp_x",
        "/x/share/gp_x",
        "/share/gp_x/other",
        "/share/gp_x/login/",
        "/share%2Fgp_x",
        "/api",
        "/api/",
        "/api/kernels",
        "/api/environments-of-mine",
        "/api/environmentsx/share",
        "/api/openapi.json/x",
        "/api/docs",
        "/api/api/share/gp_x",
        "/web/api/environments",
    ],
)
def test_all_else_is_the_environments(path: str) -> None:
    assert read_path(path.encode()) == ELSEWHERE


@given(st.binary())
def test_s_proxy_gives_exactly_the_path_behind_it(rest: bytes) -> None:
    assert read_path(b"/s-proxy/" + rest) == Route(Room.PROXY, path=b"/" + rest)
