from __future__ import annotations

import os
import ssl
from collections.abc import Generator, Iterator
from pathlib import Path

import httpcore2
import pytest
from hypothesis import HealthCheck, settings
from tests.markers import BY_HAND, MARKERS, markers_of, set_current
from tests.operate.certificates import serving, write_pair

# Plugins, so that one server and one migration serve every folder that tests against PostgreSQL, and one Chromium all.
pytest_plugins = ("tests.postgres.databases", "tests.applications.browsers")

_TESTS = Path(__file__).parent
_LONG = ("stories", "supervisor", "machines", "faults", "operate", "cli")

# How long an example takes says more about the machine's other work than about the code. The examples are the same each
# time, so that a test fails for what was changed; `--hypothesis-profile campaign` looks for others.
settings.register_profile("guestpass", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("campaign", settings.get_profile("guestpass"), derandomize=False)
settings.load_profile("guestpass")


@pytest.fixture(scope="session")
def speaks_tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """For an upstream whose certificate nobody vouches for: its environment has ``tlsVerify=False``."""
    folder = tmp_path_factory.mktemp("certificate")
    write_pair(folder / "certificate.pem", folder / "key.pem")
    return serving(folder / "certificate.pem", folder / "key.pem")


@pytest.fixture(scope="session", autouse=True)
def _trust_is_loaded_once() -> Iterator[None]:
    """Give all HTTP clients that trust the same files one TLS context: each would parse 140 certificates, for 7 ms."""
    load, loaded = httpcore2.default_ssl_context, dict[tuple[str | None, ...], ssl.SSLContext]()

    def context(*, _trust_env: bool = True) -> ssl.SSLContext:
        places = tuple(os.environ.get(name) if _trust_env else None for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
        if places not in loaded:
            loaded[places] = load(_trust_env=_trust_env)
        return loaded[places]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpcore2, "default_ssl_context", context)
        yield


def pytest_configure(config: pytest.Config) -> None:
    for marker, meaning in {**MARKERS, **BY_HAND}.items():
        config.addinivalue_line("markers", f"{marker}: {meaning}")


@pytest.hookimpl(tryfirst=True)  # Before `-m` looks at them.
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function):
            for marker in markers_of(item):
                item.add_marker(marker)
    items.sort(key=_turn_of)


def _turn_of(item: pytest.Item) -> int:
    """The folders with the longest files come first, so that at the end no worker is left alone with one of them."""
    folder = item.path.relative_to(_TESTS).parts[0]
    return _LONG.index(folder) if folder in _LONG else len(_LONG)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    set_current(marker.name for marker in item.iter_markers())
    try:
        return (yield)
    finally:
        set_current(None)
