"""Where visitors land when they open a link."""

from __future__ import annotations

import re
from collections.abc import Sequence

from guestpass.domain.blocked_paths import Ruling, judge
from guestpass.domain.environment import Kind

START_PATH_LENGTH = 2000
_FORM = re.compile(r"/[!-~]*", re.ASCII)
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.ASCII | re.IGNORECASE)
# What the gateway takes for itself before anything reaches the environment.
_OURS = re.compile(r"(?:/api)?/(?:share|s-proxy)(?:/.*)?|/api/(?:environments|share-links|openapi\.json)(?:/.*)?")


def parse_start_path(text: str) -> str:
    """Check a path of an environment, which may carry a query and a fragment, such as ``/odoo/crm?view=list``.

    Raises ValueError with a sentence for the person who wrote it.
    """
    if len(text) > START_PATH_LENGTH:
        raise ValueError(f"must be at most {START_PATH_LENGTH} characters")
    if not text.startswith("/"):
        raise ValueError("must begin with a slash, without scheme and host, such as /odoo/crm")
    if not _FORM.fullmatch(text):
        raise ValueError("must be written as in a browser's address bar: ASCII without spaces, the rest as %-escapes")
    path = re.split(r"[?#]", text, maxsplit=1)[0]
    if "\\" in text:
        raise ValueError("must not hold a backslash")
    if "//" in path:
        raise ValueError("must not hold two slashes in a row")
    if _DOT_SEGMENT.search(path):
        raise ValueError("must not hold the segments . and ..")
    if _OURS.fullmatch(path):
        raise ValueError("must lead into the environment; this path is one of Guestpass's own")
    return text


def refusal_of_start_path(text: str, kind: Kind, allow_paths: Sequence[str]) -> str | None:
    """Why a path that `parse_start_path` accepted can't be opened at such an environment; None where it can."""
    if kind is not Kind.ODOO:
        return None
    verdict = judge(re.split(r"[?#]", text, maxsplit=1)[0].encode(), allow_paths)
    if verdict.ruling is Ruling.PASS:
        return None
    return f"can't be opened by visitors. {verdict.detail} Choose another path"
