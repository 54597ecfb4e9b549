"""Hear what is said to the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event


@dataclass(frozen=True, slots=True)
class Heard:
    """A statement with the values that it was sent with, the first of them where it was sent for each row."""

    text: str
    values: Any
    for_each_row: bool = False


@contextmanager
def hearing() -> Iterator[list[Heard]]:
    """Every statement that SQLAlchemy sends, each text once."""
    heard: dict[str, Heard] = {}

    def hear(_connection: object, _cursor: object, text: str, values: Any, _context: object, many: bool) -> None:
        heard.setdefault(text, Heard(text, values[0] if many else values, many))

    event.listen(Engine, "before_cursor_execute", hear)
    statements: list[Heard] = []
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
        statements += [
            each for text, each in heard.items() if text.startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))
        ]


@dataclass(slots=True)
class Sent:
    """How many statements were sent, each row of many counted as one, and the texts of them."""

    count: int = 0
    texts: list[str] = field(default_factory=list)


@contextmanager
def counting() -> Iterator[Sent]:
    """Every statement that SQLAlchemy sends, as often as the database hears it."""
    sent = Sent()

    def count(_connection: object, _cursor: object, text: str, values: Any, _context: object, many: bool) -> None:
        sent.count += len(values) if many else 1
        sent.texts.append(" ".join(text.split()))

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", count)
