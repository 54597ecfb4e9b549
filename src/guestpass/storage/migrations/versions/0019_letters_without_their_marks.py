"""What links are searched for is written without the marks on its letters, so that MULLER finds Müller."""

from __future__ import annotations

from typing import Final
from unicodedata import combining, normalize

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_BATCH: Final = 1000
_PLAIN: Final = str.maketrans({"æ": "ae", "đ": "d", "ħ": "h", "\u0131": "i", "ł": "l", "œ": "oe", "ø": "o"})


def upgrade() -> None:
    """Write the column anew where a label or note has letters with marks.

    A program of the former revision finds such a link meanwhile by what is typed without marks.
    """
    connection, last = op.get_bind(), ""
    page = sa.text("SELECT id, label, note, searched FROM links WHERE id > :last ORDER BY id LIMIT :most")
    renew = sa.text("UPDATE links SET searched = :text WHERE id = :of_link")
    while rows := connection.execute(page, {"last": last, "most": _BATCH}).all():
        last = rows[-1].id
        texts = {row.id: _searchable("\n".join((row.label or "", row.note or "", row.id))) for row in rows}
        renewed = [{"text": texts[row.id], "of_link": row.id} for row in rows if texts[row.id] != row.searched]
        if renewed:
            connection.execute(renew, renewed)


def _searchable(text: str) -> str:
    if text.isascii():
        return text.lower()
    plain = normalize("NFD", text).casefold().translate(_PLAIN)
    return "".join(letter for letter in plain if not combining(letter))
