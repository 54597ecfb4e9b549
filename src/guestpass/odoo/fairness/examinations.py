"""What is asked of a request's body, and what is found: by the worker itself, or by a process beside it.

A call is text until it is parsed, and a parser of 1 MiB holds everybody up. So a question and a finding are values that
go through a pipe as well as they are called for in place.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Final

from guestpass.odoo.http.blocked_paths import jsonrpc_refusal
from guestpass.odoo.http.form_bodies import read_form
from guestpass.odoo.http.json_bodies import read_call
from guestpass.odoo.http.requests import names_database_part, without_foreign_database
from guestpass.odoo.secret_fields import CREDENTIALS, TOKENS
from guestpass.odoo.signed_in.addresses import (
    Inquiry,
    UnclearError,
    inquiries_about,
    inquiries_about_form,
    may_write_address,
)
from guestpass.odoo.signed_in.credentials import (
    inquiries_about_templates,
    may_render_template,
    without_credentials,
)
from guestpass.odoo.signed_in.rules import (
    ADDRESS_OF_USER,
    CODE_OF_TEMPLATE,
    NOT_FOR_VISITORS,
    calls_method,
    reads_only,
    takes_credentials,
)
from guestpass.odoo.signed_in.template_code import may_hold_code, writes_code
from guestpass.odoo.view_only.calls import LOOKS_ONLY, Asks, Passed, Quiet, rule_on_call

_CALL_TYPES: Final = (b"application/json", b"application/json-rpc")
_SECRET_FIELD: Final = "What would let a visitor in as somebody else can't be read through this link."
_FOREIGN_FORM: Final = "This form chooses a database, which is not for visitors to choose."


class Subject(Enum):
    """What a body is examined as."""

    LOOK = "look"  # the call of a visitor who may only look
    JSONRPC = "jsonrpc"  # a call to an allowed /jsonrpc
    CALL = "call"  # the call of a visitor whom the link signs in
    FORM = "form"  # a form that Odoo lets choose the session's database
    DETAILS = "details"  # the form in which a customer whom the link signs in edits their details
    FIELDS = "fields"  # the form or the call that names fields of which Odoo makes a file


class Outcome(Enum):
    """What becomes of the body."""

    PASSES = "passes"  # as it came
    REWRITTEN = "rewritten"  # `body` goes on in its stead
    ASKED = "asked"  # `body` goes on once Odoo has said which server actions it names
    ANSWERED = "answered"  # it goes nowhere, and `body` is the answer
    UNREADABLE = "unreadable"  # it is wrong in itself, as `text` says
    NOT_SHARED = "not shared"  # it asks for what nobody gets through a link, as `text` says
    DEPENDS = "depends"  # on what Odoo says to the `inquiries`; else it is not shared, as `text` says
    VIEW_ONLY = "view-only"  # the same where the link is view-only; `model` and `method` have places in `text`


@dataclass(frozen=True, slots=True)
class BodyFinding:
    """What was found of a body."""

    outcome: Outcome
    body: bytes = b""
    text: str = ""
    model: str | None = None
    method: str | None = None
    inquiries: tuple[Inquiry, ...] = ()


@dataclass(slots=True, init=False)
class Question:
    """What is asked of a body; `path` is without its query. `allowed` and `signed_in` are for looks.

    For fields, `looks` says that the visitor may only look.

    `query` and `content_type` are for forms: details and fields. `login`, whom the link signs in, is for details.
    """

    subject: Subject
    path: str
    allowed: tuple[str, ...]
    signed_in: bool
    looks: bool
    database: str | None
    query: str
    content_type: str
    login: str

    # Written out, as in `ForwardedVisitor`: one is made for each call.
    def __init__(
        self,
        subject: Subject,
        path: str = "",
        allowed: tuple[str, ...] = (),
        *,
        signed_in: bool = False,
        looks: bool = False,
        database: str | None = None,
        query: str = "",
        content_type: str = "",
        login: str = "",
    ) -> None:
        self.subject = subject
        self.path = path
        self.allowed = allowed
        self.signed_in = signed_in
        self.looks = looks
        self.database = database
        self.query = query
        self.content_type = content_type
        self.login = login

    def answer(self, body: bytes) -> BodyFinding:
        """Examine the body, however long that takes."""
        match self.subject:
            case Subject.LOOK:
                return self._look_at(body)
            case Subject.JSONRPC:
                detail = jsonrpc_refusal(body)
                return _PASSES if detail is None else BodyFinding(Outcome.NOT_SHARED, text=detail)
            case Subject.CALL:
                return _examine(body, self.path.encode("latin-1"), reads_fields=True)
            case Subject.FORM:
                if names_database_part(body):
                    return BodyFinding(Outcome.NOT_SHARED, text=_FOREIGN_FORM)
                kept = without_foreign_database(body, self.database)
                return _PASSES if kept == body else BodyFinding(Outcome.REWRITTEN, kept)
            case Subject.DETAILS:
                path, query, kind = (each.encode("latin-1") for each in (self.path, self.query, self.content_type))
                try:
                    return _asking(inquiries_about_form(path, query, kind, body, self.login))
                except UnclearError as error:
                    return BodyFinding(Outcome.NOT_SHARED, text=error.text)
            case Subject.FIELDS:
                return self._fields_in(body)

    def _fields_in(self, body: bytes) -> BodyFinding:
        """What is read by a signed-in visitor must hold no credential, and by one who may only look no token."""
        secrets = TOKENS if self.looks else CREDENTIALS
        kind = self.content_type.encode("latin-1")
        if kind.partition(b";")[0].strip().lower() in _CALL_TYPES:
            try:
                call = read_call(body)
            except ValueError as error:
                return BodyFinding(Outcome.UNREADABLE, text=str(error))
            if secrets.may_be_in(body) and secrets.are_in(call):
                return _SECRET
            return _examine_call(call, body, self.path.encode("latin-1")) if self.signed_in else _PASSES
        try:
            is_secret = any(secrets.are_in_text(value) for _, value in read_form(kind, body))
        except ValueError as error:
            return BodyFinding(Outcome.UNREADABLE, text=str(error))
        return _SECRET if is_secret else _PASSES

    def _look_at(self, body: bytes) -> BodyFinding:
        path = self.path.encode("latin-1")
        ruling = rule_on_call(path, body, self.allowed)
        if isinstance(ruling, Quiet):
            return BodyFinding(Outcome.ANSWERED, ruling.answer())
        if not isinstance(ruling, Passed | Asks):
            return BodyFinding(Outcome.VIEW_ONLY, text=ruling.text, model=ruling.model, method=ruling.method)
        # What an owner has allowed is no way to a password either.
        found = _examine(ruling.body, path) if self.signed_in or self.allowed else _PASSES
        if found is not _PASSES and not self.signed_in:
            return BodyFinding(Outcome.VIEW_ONLY, text=LOOKS_ONLY)
        if found.outcome is Outcome.DEPENDS:
            return _ADDRESS  # nobody who may only look writes an address
        if isinstance(ruling, Asks):
            return BodyFinding(Outcome.ASKED, ruling.body) if found is _PASSES else found
        return BodyFinding(Outcome.REWRITTEN, ruling.body) if found is _PASSES and ruling.body != body else found


def _examine(body: bytes, path: bytes, *, reads_fields: bool = False) -> BodyFinding:
    """Examine the call of a signed-in visitor; with `reads_fields` also what it reads and renders."""
    try:
        call = read_call(body)
    except ValueError as error:
        return BodyFinding(Outcome.UNREADABLE, text=str(error))
    found = _examine_call(call, body, path)
    return _without_credentials(found, call, body) if reads_fields else found


def _examine_call(call: dict[str, Any], body: bytes, path: bytes) -> BodyFinding:
    """Examine what a call uses and writes; `body` is what it was parsed from."""
    is_method = calls_method(path)
    if takes_credentials(call, is_method=is_method):
        return BodyFinding(Outcome.NOT_SHARED, text=NOT_FOR_VISITORS)
    params = call.get("params")
    if not params or (is_method and reads_only(params.get("method"))):
        return _PASSES
    if may_hold_code(body) and writes_code(params, path):
        return BodyFinding(Outcome.NOT_SHARED, text=CODE_OF_TEMPLATE)
    if not may_write_address(body, params.get("method")):
        return _PASSES
    try:
        return _asking(inquiries_about(params, is_method=is_method))
    except UnclearError as error:
        return BodyFinding(Outcome.NOT_SHARED, text=error.text)


def _without_credentials(found: BodyFinding, call: dict[str, Any], body: bytes) -> BodyFinding:
    if found.outcome not in (Outcome.PASSES, Outcome.DEPENDS):
        return found
    if may_render_template(body) and (about := inquiries_about_templates(call)):
        found = _asking((*found.inquiries, *about))
    kept = without_credentials(call, body)
    if kept == body:
        return found
    if kept is None or found.outcome is Outcome.DEPENDS:
        return _SECRET
    return BodyFinding(Outcome.REWRITTEN, kept)


def _asking(inquiries: tuple[Inquiry, ...]) -> BodyFinding:
    return BodyFinding(Outcome.DEPENDS, text=ADDRESS_OF_USER, inquiries=inquiries) if inquiries else _PASSES


_PASSES: Final = BodyFinding(Outcome.PASSES)
_SECRET: Final = BodyFinding(Outcome.NOT_SHARED, text=_SECRET_FIELD)
_ADDRESS: Final = BodyFinding(Outcome.NOT_SHARED, text=ADDRESS_OF_USER)


# Through a pipe: a line of JSON each, with the number of bytes behind it. Nothing that is read there can be code.


def write_question(question: Question, size: int) -> bytes:
    """The line before a body of `size` bytes."""
    return _line({**asdict(question), "subject": question.subject.value, "size": size})


def read_question(line: bytes) -> tuple[Question, int]:
    """The question, and the size of its body."""
    given = json.loads(line)
    size = given.pop("size")
    return Question(**{**given, "subject": Subject(given["subject"]), "allowed": tuple(given["allowed"])}), size


def write_finding(finding: BodyFinding) -> bytes:
    """The line of a finding, with its body."""
    fields: dict[str, Any] = asdict(finding)
    fields["outcome"], fields["body"] = finding.outcome.value, len(finding.body)
    return _line(fields) + finding.body


def read_finding(line: bytes) -> tuple[BodyFinding, int]:
    """The finding without its body, and the size of that; raises ValueError for what is none."""
    try:
        fields = json.loads(line)
        size = fields.pop("body")
        inquiries = tuple(Inquiry(**each) for each in fields.pop("inquiries"))
        return BodyFinding(**{**fields, "outcome": Outcome(fields["outcome"])}, inquiries=inquiries), int(size)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a finding: {error}") from None


def _line(said: dict[str, Any]) -> bytes:
    return json.dumps(said).encode() + b"\n"
