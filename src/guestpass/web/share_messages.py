"""The message with which an owner sends a link, in the visitor's language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from guestpass.languages.language import Language
from guestpass.languages.marks import mark

LINK_SUBJECT: Final = mark("A link for you")
PASSWORD_SUBJECT: Final = mark("The password")
OPENS: Final = mark("Hello,\n\nthis link opens what I would like to share with you:")
ENDS: Final = mark("It works until {date}, {time}.")
PASSWORD_FOLLOWS: Final = mark("It asks for a password, which I send you in another way.")
PASSWORD_HERE: Final = mark("It asks for this password: {password}")
PASSWORD_ALONE: Final = mark("Hello,\n\nthis is the password for the link that I sent you: {password}")


@dataclass(frozen=True, slots=True)
class ShareMessage:
    """A subject and a text to be sent as they are."""

    subject: str
    text: str

    @property
    def mailto(self) -> str:
        """The address that opens it in a mail program (RFC 6068)."""
        body = self.text.replace("\n", "\r\n")
        return f"mailto:?subject={quote(self.subject, safe='')}&body={quote(body, safe='')}"


def write_link_message(
    language: Language, url: str, expires_at: datetime, *, asks_password: bool, password: str | None = None
) -> ShareMessage:
    """The message with the URL. The password stands in it only where it is given: apart, one of both opens nothing."""
    lines = [
        language.translate(OPENS),
        url,
        language.translate(ENDS, date=language.date(expires_at), time=language.time(expires_at)),
    ]
    if password is not None:
        lines.append(language.translate(PASSWORD_HERE, password=password))
    elif asks_password:
        lines.append(language.translate(PASSWORD_FOLLOWS))
    return ShareMessage(language.translate(LINK_SUBJECT), "\n\n".join(lines))


def write_password_message(language: Language, password: str) -> ShareMessage:
    """The message with the password alone, to be sent in another way."""
    return ShareMessage(language.translate(PASSWORD_SUBJECT), language.translate(PASSWORD_ALONE, password=password))
