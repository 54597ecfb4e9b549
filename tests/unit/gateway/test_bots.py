from __future__ import annotations

import pytest
from tests.unit.gateway.requests import request

from guestpass.gateway import bots
from guestpass.gateway.bots import is_bot


@pytest.mark.parametrize(
    "agent",
    [
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Slackbot 1.0 (+https://api.slack.com/robots)",
        "Slack-ImgProxy (+https://api.slack.com/robots)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "WhatsApp/2.23.20.0 A",
        "TelegramBot (like TwitterBot)",
        "Twitterbot/1.0",
        "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
        "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingpreview/2.0)",
        "Mozilla/5.0 (Macintosh) AppleWebKit/600.2.5 (KHTML, like Gecko) Version/8.0.2 (Applebot/0.1)",
        "Mattermost-Bot/1.1",
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17328; Pro)",
        "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
        "Baiduspider/2.0",
        "Signal-Desktop/6.1.0 Linux",
    ],
)
def test_who_looks_at_a_link_because_it_was_sent_is_recognised(agent: str) -> None:
    assert is_bot(request("GET /", f"User-Agent: {agent}"))
    assert is_bot(request("GET /", f"User-Agent: {agent.upper()}"))


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
        "Mozilla/5.0 (Linux; Android 13; CUBOT X70) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36",
        "curl/8.5.0",
        "python-httpx/0.28",
        "",
    ],
)
def test_a_persons_browser_is_none(agent: str) -> None:
    assert not is_bot(request("GET /", f"User-Agent: {agent}"))


def test_who_says_nothing_is_none() -> None:
    assert not is_bot(request("GET /"))


def test_no_more_of_a_field_is_looked_through_than_they_write() -> None:
    agent = "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) (compatible; Embedly/0.2)"
    assert is_bot(request("GET /", f"User-Agent: {'Mozilla/5.0 ' * 70}{agent}"))
    assert not is_bot(request("GET /", f"User-Agent: {'Mozilla/5.0 ' * 4000}{agent}"))


def test_a_name_is_searched_for_once_in_each_value(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[bytes] = []

    class Pattern:
        def search(self, agent: bytes) -> None:
            searched.append(agent)

    monkeypatch.setattr(bots, "_BOTS", Pattern())
    for _ in range(3):
        assert not is_bot(request("GET /", "User-Agent: one that no other test sends"))
    assert searched == [b"one that no other test sends"]
