from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from guestpass.odoo.signed_in.template_code import may_hold_code, writes_code

CALL = b"/web/dataset/call_kw"


def writes(model: str, method: str, *args: Any, **kwargs: Any) -> bool:
    params = {"model": model, "method": method, "args": list(args), "kwargs": kwargs}
    return may_hold_code(json.dumps(params).encode()) and writes_code(params, CALL)


@pytest.mark.parametrize(
    "arch",
    [
        '<t t-out="x"/>',
        "<T T-OUT='x'/>",
        "<p a='1't-att-title='x'/>",
        "<p\nt-attf-class = 'x'/>",
        '<t t-set="a" t-value="b"/>',
        "<t t-call='x'/>",
        '<!DOCTYPE d [<!ENTITY e "x">]>',
        "<?xml version='1.0' encoding='utf-7'?>",
    ],
)
def test_code_of_a_page_is_found(arch: str) -> None:
    assert writes("ir.ui.view", "write", [1], {"arch": arch})
    assert writes("website.page", "create", [{"view_id": {"arch": [arch]}}])
    assert writes("ir.ui.view", "create", [{}], context={"default_arch": arch})


FILLED_IN = [
    "{{ object.name }}",
    "{{object.partner_id.name}}",
    "{{ object.partner_id.name or 'you' }}",
    "{{ object.name ||| everybody }}",
    "{{ object.name }}: {{ object.user_id.name }}",
    '<t t-out="object.name">Name</t>',
    "<p><t t-out='object.partner_id.name'/></p>",
]


@pytest.mark.parametrize("model", ["mail.template", "mail.compose.message", "mailing.mailing"])
@pytest.mark.parametrize("text", FILLED_IN)
def test_a_mail_may_hold_a_field_of_what_it_is_about(model: str, text: str) -> None:
    assert not writes(model, "write", [1], {"subject": text})
    # What follows is looked at.
    assert writes(model, "write", [1], {"subject": f"{text}{{{{ 7*7 }}}}"})
    assert writes(model, "write", [1], {"subject": f"{text}<t t-if='x'/>"})


def test_elsewhere_nothing_is_filled_in() -> None:
    assert writes("ir.ui.view", "write", [1], {"arch": '<t t-out="object.name"/>'})
    assert not writes("crm.lead", "write", [1], {"name": "{{ name }}"})


@pytest.mark.parametrize(
    "code",
    [
        "{{ object.name.upper() }}",
        "{{ object.sudo().name }}",
        "{{ object._name }}",
        "{{ object['name'] }}",
        "{{ object.name or object.sudo().name }}",
        "{{ object.name or 'a' or request.session.sid }}",
        "{{ object.name or 'a{{ request.session.sid }}' }}",
        "{{ object.name or '\\' or request.session.sid or '' }}",
        "{{ object.name ||| {{ request.session.sid }} }}",
        "{{{{ object.name }} request.session.sid }}",
        "{{ request.session.sid }}",
        "{{ object }}",
        "{{ objects.name }}",
        "{{ object.partner_id.signup_url }}",
        "{{ object.signup_token }}",
        "{{ object.access_token }}",
        "{{ object.user_id.device_ids.session_identifier }}",
        "{{ object.smtp_pass }}",
        "{{ object.name\n}}",
        "{{ object.n\u00e4me }}",
        '<t t-out="object.name()"/>',
        '<t t-out="object.signup_url"/>',
        '<t t-out="request.session.sid"/>',
        '<t t-raw="object.name"/>',
        '<t t-set="object" t-value="request.session"/>',
        "<t t-out=\"object.name'/>",
    ],
)
@pytest.mark.parametrize("model", ["mail.template", "mail.compose.message", "mailing.mailing"])
def test_anything_else_that_is_filled_in_is_code(model: str, code: str) -> None:
    assert writes(model, "write", [1], {"subject": code})


@pytest.mark.parametrize("text", ["<p class='text-out'>", "my t-shirt = blue", "<div data-t-out='x'>", "a t-outer b"])
def test_other_text_is_let_go(text: str) -> None:
    assert not writes("ir.ui.view", "write", [1], {"arch": text})


def test_what_is_said_in_a_conversation_may_speak_of_code() -> None:
    assert not writes("crm.lead", "message_post", [1], body='<t t-out="x"/>')
    post = {"thread_model": "crm.lead", "post_data": {"body": '<t t-out="x"/>'}}
    assert not writes_code(post, b"/mail/message/post")
    assert writes_code(post, CALL)


def test_code_behind_an_escape_is_looked_for() -> None:
    assert may_hold_code(b'{"arch":"<t \\u0074-out=\\"x\\"/>"}')
    assert not may_hold_code(b'{"name":"x"}')


@pytest.mark.parametrize(
    "text",
    [
        "'t-att' + ':t-att' * 350_000",
        "'t-att' + '.t-att' * 350_000",
        "'<?xml' * 400_000",
        "'{{ object' + '.a' * 1_000_000",
        "'{{ object.' + 'a' * 2_000_000",
        "'{{ object.a' * 150_000",
        "'t-out=\\\"object.a' * 130_000",
        "'<?xml ' + 'encodin' * 300_000",
    ],
)
def test_the_work_grows_with_the_text_and_no_faster(text: str) -> None:
    # Tenths of a second of 2 MiB; with the square of the size it would be hours, and the limit of processor time
    # ends the process.
    script = f"""
import resource
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
from guestpass.odoo.signed_in.template_code import writes_code
for model in ("ir.ui.view", "mail.template"):
    params = {{"model": model, "method": "write", "args": [[1], {{"arch": {text}}}]}}
    writes_code(params, b"/web/dataset/call_kw")
"""
    subprocess.run([sys.executable, "-c", script], check=True)
