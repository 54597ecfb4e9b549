"""Print a link's URL as text, as a QR code, or in a message to send."""

from __future__ import annotations

import io
from typing import Annotated, Any

import typer

from guestpass.cli import output
from guestpass.domain.link import ShareType
from guestpass.web.api.link_models import ShareLinkBody


def _language(tag: str) -> str:
    # Loaded here: most commands don't need the translations, which take time to load.
    from guestpass.languages.language import LANGUAGES  # noqa: PLC0415

    if tag.replace("_", "-").partition("-")[0].lower() not in LANGUAGES:
        raise typer.BadParameter(f"must be one of {', '.join(LANGUAGES)}")
    return tag.replace("_", "-")


QR = Annotated[bool, typer.Option("--qr", help="Draw the URL as a QR code too.")]
MessageIn = Annotated[
    str | None,
    typer.Option(
        "--message",
        metavar="LANGUAGE",
        parser=_language,
        help="Print a message that is ready to be sent, in en, es, fr, de or pt, in place of the bare URL.",
    ),
]
WithPassword = Annotated[
    bool,
    typer.Option(
        "--with-password",
        help="Put the password into the message too. It is safer to send it another way: neither opens the link alone.",
    ),
]


def write_message(link: ShareLinkBody, language: str, password: str | None) -> dict[str, str]:
    """Return the message's subject and text, and its mailto: URL."""
    from guestpass.languages.language import language_for  # noqa: PLC0415 - as above
    from guestpass.web.share_messages import write_link_message  # noqa: PLC0415

    message = write_link_message(
        language_for(language),
        link.url,
        link.expires_at,
        asks_password=link.share_type is ShareType.PASSWORD,
        password=password,
    )
    return {"subject": message.subject, "text": message.text, "mailto": message.mailto}


def print_link(
    link: ShareLinkBody,
    *,
    as_json: bool,
    qr: bool = False,
    language: str | None = None,
    made: str | None = None,
    password: str | None = None,
) -> None:
    """Print a link for sending; `made` is a generated password to print, `password` one to put into the message."""
    message = write_message(link, language, password) if language is not None else None
    if as_json:
        body: dict[str, Any] = link.model_dump(mode="json", by_alias=True)
        body |= {"password": made} if made is not None else {}
        output.print_json(body | ({"message": message} if message is not None else {}))
        return
    typer.echo(message["text"] if message is not None else link.url)
    if made is not None and message is None:
        typer.echo(f"Password: {made}")
    if qr:
        typer.echo(draw_qr(link.url))
    # On standard error, so that it isn't sent with the message by accident.
    if made is not None and message is not None and password is None:
        output.note(f"Password: {made}")
        output.note("Send it another way than the link.")


def draw_qr(url: str) -> str:
    """Draw the QR code with half blocks, two of its rows per line."""
    import segno  # noqa: PLC0415 - as above

    drawn = io.StringIO()
    segno.make(url, error="m", micro=False).terminal(drawn, border=2, compact=True)
    return drawn.getvalue().rstrip("\n")
