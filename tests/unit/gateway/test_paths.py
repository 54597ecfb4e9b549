from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.gateway.paths import PathKind, Route, read_path

ELSEWHERE = Route(PathKind.ELSEWHERE)


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/share/gp_x", Route(PathKind.OPEN, token="gp_x")),
        ("/share/gp_x/login", Route(PathKind.LOGIN, token="gp_x")),
        ("/share/gp_x/", Route(PathKind.OPEN, token="gp_x")),
        ("/share/login", Route(PathKind.OPEN, token="login")),
        ("/share/", Route(PathKind.OPEN, token="")),
        ("/share/%67p_x", Route(PathKind.OPEN, token="%67p_x")),
        ("/s-proxy/", Route(PathKind.PROXY, path=b"/")),
        ("/s-proxy/web/login", Route(PathKind.PROXY, path=b"/web/login")),
        ("/s-proxy//double", Route(PathKind.PROXY, path=b"//double")),
        ("/s-proxy/%2e%2e/a%20b", Route(PathKind.PROXY, path=b"/%2e%2e/a%20b")),
        ("/s-proxy/share/gp_x", Route(PathKind.PROXY, path=b"/share/gp_x")),
        ("/s-proxy/s-proxy/x", Route(PathKind.PROXY, path=b"/s-proxy/x")),
    ],
)
def test_the_public_three_are_ours_with_and_without_api(prefix: str, path: str, route: Route) -> None:
    assert read_path(f"{prefix}{path}".encode()) == route


def test_the_way_in_to_a_links_own_host_is_ours_and_no_token() -> None:
    assert read_path(b"/share/enter") == Route(PathKind.ENTER)
    assert read_path(b"/share/enter/") == Route(PathKind.OPEN, token="enter")
    assert read_path(b"/api/share/enter") == Route(PathKind.OPEN, token="enter")


@pytest.mark.parametrize(
    "path", ["/api/environments", "/api/environments/", "/api/environments/x/share/y/permanent", "/api/openapi.json"]
)
def test_the_api(path: str) -> None:
    assert read_path(path.encode()) == Route(PathKind.API)


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
    assert read_path(b"/s-proxy/" + rest) == Route(PathKind.PROXY, path=b"/" + rest)


TOKEN = "gp_" + "a1B" * 16 + "z"
MISSPELT = Route(PathKind.MISSPELT)


@pytest.mark.parametrize(
    "path",
    [
        "//share/{}",
        "/./share/{}",
        "/x/../share/{}",
        "/Share/{}",
        "/share//{}",
        "/share/{}/login/..",
        "/share/{}/login/",
        "/share/{}/x",
        "/share/{};a=b/x",
        "/share%2F{}",
        "/%73hare/{}",
        "/s-proxy/share/{}",
        "/s-proxy//share/{}",
        "/api/s-proxy/api/share/{}",
        "/api/v1/share/{}",
        "/web/{}",
        "/{}",
    ],
)
def test_no_spelling_of_a_path_brings_a_token_to_an_environment(path: str) -> None:
    for token in (
        TOKEN,
        TOKEN[:-6],
        TOKEN.replace("p", "%70"),
        TOKEN.replace("1", "%2531"),
        TOKEN.replace("B", "%252542"),
    ):
        assert read_path(path.format(token).encode()) == MISSPELT, token
    assert read_path(path.format("gp_short").encode()) != MISSPELT


@pytest.mark.parametrize("path", ["/share/{}", "/api/share/{}", "/share/{}/", "/share/{}/login"])
def test_where_a_token_belongs_it_is_read(path: str) -> None:
    assert read_path(path.format(TOKEN).encode()).token == TOKEN
