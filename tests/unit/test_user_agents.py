"""What is read from User-Agents as browsers really send them."""

from __future__ import annotations

import pytest

from guestpass.domain.visit import Agent
from guestpass.user_agents import UserAgentReader

WEBKIT, SAFARI = (f"AppleWebKit/{version} (KHTML, like Gecko)" for version in ("537.36", "605.1.15"))


@pytest.fixture(scope="module")
def reader() -> UserAgentReader:
    return UserAgentReader()


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36",
            Agent("Chrome 140", "Windows"),
        ),
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            Agent("Edge 140", "Windows"),
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0", Agent("Firefox 142", "Linux")),
        (
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SAFARI} Version/18.5 Safari/605.1.15",
            Agent("Safari 18", "macOS"),
        ),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {SAFARI} Version/18.5 Mobile/15E148 Safari/604.1",
            Agent("Mobile Safari 18", "iOS"),
        ),
        (
            f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/140.0.0.0 Mobile Safari/537.36",
            Agent("Chrome Mobile 140", "Android"),
        ),
        ("curl/8.14.1", Agent("curl 8", None)),
        ("", Agent(None, None)),
        ("nothing that anybody knows", Agent(None, None)),
    ],
)
def test_browsers_and_systems_are_told(reader: UserAgentReader, text: str, agent: Agent) -> None:
    assert reader.read(text) == agent
    assert reader.read(text) == agent


@pytest.mark.parametrize("hostile", ["(; Safari", "Version/1.1. like ", "\x00", "\U0001f9d1", "(" * 50])
def test_what_is_too_long_to_be_true_is_read_at_its_beginning_only(reader: UserAgentReader, hostile: str) -> None:
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
    assert reader.read(f"{firefox} {hostile * 10_000}") == reader.read(f"{firefox} {hostile * 10_000}"[:512])
    assert reader.read(" " * 512 + firefox) == Agent(None, None)
