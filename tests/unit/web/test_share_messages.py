from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from guestpass.languages.language import LANGUAGES, language_for
from guestpass.web.share_messages import write_link_message, write_password_message

URL = "https://share.example.com/share/gp_A1b2C3"
ENDS = datetime(2026, 3, 4, 15, 6, tzinfo=UTC)
PASSWORD = "one & two = 3"


@pytest.mark.parametrize("tag", LANGUAGES)
def test_url_and_password_travel_apart_unless_asked(tag: str) -> None:
    language = language_for(tag)
    link = write_link_message(language, URL, ENDS, asks_password=True)
    alone = write_password_message(language, PASSWORD)
    together = write_link_message(language, URL, ENDS, asks_password=True, password=PASSWORD)
    assert URL in link.text.split()
    assert PASSWORD not in link.text
    assert PASSWORD in alone.text
    assert URL not in alone.text
    assert URL in together.text.split()
    assert PASSWORD in together.text
    assert "2026" in link.text
    assert "UTC" in link.text
    assert len(write_link_message(language, URL, ENDS, asks_password=False).text) < len(link.text)


def test_every_language_has_words_of_its_own() -> None:
    texts = {write_link_message(language_for(tag), "", ENDS, asks_password=True).text for tag in LANGUAGES}
    subjects = {write_password_message(language_for(tag), "").subject for tag in LANGUAGES}
    assert len(texts) == len(subjects) == len(LANGUAGES)


def test_a_mail_program_gets_the_same_text() -> None:
    message = write_password_message(language_for("fr"), PASSWORD)
    head, _, body = message.mailto.partition("&body=")
    assert head.startswith("mailto:?subject=")
    assert unquote(head.partition("=")[2]) == message.subject
    assert unquote(body) == message.text.replace("\n", "\r\n")
    assert not {"&", "=", " ", "#", "?"} & set(body)
