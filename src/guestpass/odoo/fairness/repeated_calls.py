"""Examine a call that differs from an earlier one by its id alone without parsing it again.

Odoo's client counts its calls and puts the number first. The rest is often the same: of one page opened again, and of
all visitors whom a link signs in, since to Odoo they are one user.
"""

from __future__ import annotations

import re
from typing import Final

from guestpass.odoo.fairness.examinations import BodyFinding, Outcome, Question, Subject

LONGEST: Final = 4096
"""Bytes of a call that is remembered, with its path; most of Odoo's own are shorter."""
MOST: Final = 256
# A number that ends here, whatever stands behind the comma: with another in its place the rest of the body means the
# same. No rule looks at digits.
_ID = re.compile(rb'\{"id":(?:0|[1-9][0-9]{0,14}),')

# What goes on behind the id, where that is not what came.
_KNOWN: dict[tuple[bool, str, tuple[str, ...], bool, bytes], bytes | None] = {}
_PASSES: Final = BodyFinding(Outcome.PASSES)


def examine(question: Question, body: bytes) -> BodyFinding:
    """Answer the question, which takes no longer than others can wait (`is_little`).

    Remembered are calls that go on, and nothing of those that are refused or depend on what Odoo says.
    """
    is_look, path = question.subject is Subject.LOOK, question.path
    may_be_known = (is_look or question.subject is Subject.CALL) and len(body) + len(path) <= LONGEST
    found_id = _ID.match(body) if may_be_known else None
    if found_id is None:
        return question.answer(body)
    end = found_id.end()
    key = (is_look, path, question.allowed, question.signed_in, body[end:])
    if key in _KNOWN:
        rest = _KNOWN[key]
        return _PASSES if rest is None else BodyFinding(Outcome.REWRITTEN, body[:end] + rest)
    finding = question.answer(body)
    if finding.outcome is Outcome.PASSES:
        _remember(key, None)
    elif finding.outcome is Outcome.REWRITTEN and finding.body.startswith(body[:end]):
        _remember(key, finding.body[end:])
    return finding


def _remember(key: tuple[bool, str, tuple[str, ...], bool, bytes], rest: bytes | None) -> None:
    if len(_KNOWN) >= MOST:
        del _KNOWN[next(iter(_KNOWN))]
    _KNOWN[key] = rest
