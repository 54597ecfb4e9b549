"""Whether a call writes code that Odoo would run: QWeb in a page or a mail, or a placeholder of a mail.

Odoo renders templates with the rights of whoever looks, and a template can raise them (``sudo``). It can print the
session's id, or the link with which anybody's password is set anew.
"""

from __future__ import annotations

import re
from typing import Any, Final

from guestpass.odoo.http.json_bodies import may_have_escapes
from guestpass.odoo.signed_in.rules import calls_method

# An attempt begins at the start of a name and ends with it, so that the time grows with the text and no faster.
_QWEB = re.compile(
    r"(?<![\w.:-])t-(?:out|esc|raw|field|att|if|elif|foreach|set|value|call|lang|options|tag|cache|nocache|debug|groups)"
    r"[\w.:-]*\s*=|"
    # What a parser would first make into such.
    r"<!ENTITY|<\?xml[^<>]*encoding",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"\{\{")
# A field of the record that a mail is about, or of one that it names, as Odoo's editor puts it in.
_PATH: Final = r"object(?:\.(?![a-z0-9_]*(?:key|oauth|pass|secret|session|sign_?up|token|totp))[a-z][a-z0-9_]*){1,8}"
_OTHERWISE: Final = r"(?: or '[^'{}\\]{0,100}'| \|\|\|[^{}\\]{0,100})?"
_FIELDS = re.compile(rf"\{{\{{ ?{_PATH}{_OTHERWISE} ?\}}\}}|(?<![\w.:-])t-out=(?:\"{_PATH}\"|'{_PATH}')")
_RENDERED = re.compile(r"mail\.(?:template|compose).*|(?:sms|mailing|marketing|whatsapp|snailmail|digest)\..*")
# What is said in a conversation is shown as it is.
_SAID: Final = frozenset({"message_post", "message_update_content"})
_POST: Final = b"/mail/message/post"


def may_hold_code(body: bytes) -> bool:
    """Whether a call is worth a closer look."""
    # A search for one byte takes a sixth of the time that one for two takes.
    return (
        (b"-" in body and (b"t-" in body or b"T-" in body))
        or (b"<" in body and (b"<!" in body or b"<?" in body))
        or b"{{" in body
        or may_have_escapes(body)
    )


def writes_code(params: dict[str, Any], path: bytes) -> bool:
    """Whether a text in the call, which is no reading one, holds code of a template."""
    is_method, method = calls_method(path), params.get("method")
    if is_method and isinstance(method, str) and method in _SAID:
        return False
    model = params.get("model")
    is_rendered = isinstance(model, str) and _RENDERED.fullmatch(model) is not None
    kwargs = params.get("kwargs")
    named = kwargs if is_method and isinstance(kwargs, dict) else {}
    unwritten = "kwargs" if is_method else "post_data" if path == _POST else ""
    values: list[object] = [each for name, each in params.items() if name != unwritten]
    values += [each for name, each in named.items() if name != "specification"]
    for each in values:  # Those within are put behind it.
        if isinstance(each, str):
            if is_rendered:
                each = _FIELDS.sub("", each)  # noqa: PLW2901 - what is left of it
            if _QWEB.search(each) or (is_rendered and _PLACEHOLDER.search(each)):
                return True
        elif isinstance(each, dict):
            values += each.values()
        elif isinstance(each, list):
            values += each
    return False
