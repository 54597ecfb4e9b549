"""What links are sorted by and searched for is written in one way (NFC), however a keyboard wrote it."""

from __future__ import annotations

from typing import Final
from unicodedata import normalize

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_NO_LABEL: Final = "\U0010ffff"
_BATCH: Final = 1000


def upgrade() -> None:
    """Write both columns anew where a label or note has letters that can be written in several ways.

    A program of the former revision would not notice; what it writes meanwhile is found as it wrote it.
    """
    connection, last = op.get_bind(), ""
    page = sa.text("SELECT id, label, note, label_key, searched FROM links WHERE id > :last ORDER BY id LIMIT :most")
    renew = sa.text("UPDATE links SET label_key = :key, searched = :text WHERE id = :of_link")
    while rows := connection.execute(page, {"last": last, "most": _BATCH}).all():
        last = rows[-1].id
        renewed = []
        for row in rows:
            key = _folded(row.label or _NO_LABEL)
            text = _folded("\n".join((row.label or "", row.note or "", row.id)))
            if (key, text) != (row.label_key, row.searched):
                renewed.append({"key": key, "text": text, "of_link": row.id})
        if renewed:
            connection.execute(renew, renewed)


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else normalize("NFC", normalize("NFD", text).casefold())
