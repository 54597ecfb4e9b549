from __future__ import annotations

from typing import Any

import pytest

from guestpass.odoo.signed_in.addresses import (
    Inquiry,
    UnclearError,
    edited_details,
    inquiries_about,
    inquiries_about_form,
    may_write_address,
)

FORM = b"application/x-www-form-urlencoded"
USERS = ["user_ids", "!=", False]


def asked(model: str, method: str, *args: Any, **kwargs: Any) -> tuple[Inquiry, ...]:
    return inquiries_about({"model": model, "method": method, "args": list(args), "kwargs": kwargs})


def about_contacts(*ids: int, email: str = "a@b.example") -> Inquiry:
    return Inquiry("res.partner", [["id", "in", list(ids)], USERS, ["email", "!=", email]])


def about_form(path: bytes, query: bytes, kind: bytes, body: bytes) -> tuple[Inquiry, ...]:
    return inquiries_about_form(path, query, kind, body, "joel")


EMAIL = {"email": "a@b.example"}


@pytest.mark.parametrize(
    ("found", "inquiries"),
    [
        (asked("res.partner", "write", [7, 9], EMAIL), [about_contacts(7, 9)]),
        (asked("res.partner", "write", 7, EMAIL), [about_contacts(7)]),
        (asked("res.partner", "create", [EMAIL]), []),
        (asked("res.partner", "write", [7], {"phone": "1"}), []),
        (asked("res.partner", "write", [9], {"child_ids": [[1, 7, EMAIL]]}), [about_contacts(7)]),
        (asked("res.partner", "write", [9], {"child_ids": [[0, "virtual_1", EMAIL]]}), []),
        (asked("crm.lead", "create", [{"email_from": "a@b.example", "partner_id": 7}]), [about_contacts(7)]),
        (asked("crm.lead", "create", [{"email_from": "a@b.example"}]), []),
        (
            asked("crm.lead", "create", [{"email_from": "a@b.example"}], context={"default_partner_id": 7}),
            [about_contacts(7)],
        ),
        (
            asked("crm.lead", "write", [4], {"email_from": "a@b.example"}),
            [
                Inquiry(
                    "crm.lead",
                    [
                        ["id", "in", [4]],
                        ["partner_id.user_ids", "!=", False],
                        ["partner_id.email", "!=", "a@b.example"],
                    ],
                )
            ],
        ),
        (
            asked("hr.employee", "write", [4], {"work_email": False}),
            [Inquiry("hr.employee", [["id", "in", [4]], ["work_contact_id.user_ids", "!=", False]])],
        ),
        (
            asked("crm.lead", "merge_opportunity", [4, 5]),
            [Inquiry("crm.lead", [["id", "in", [4, 5]], ["partner_id.user_ids", "!=", False]])],
        ),
        (asked("res.partner", "load", ["name", "email"], [["x", "y"]]), []),
        (asked("res.partner", "name_create", "x", context={"default_email": "a@b.example"}), []),
        (asked("res.partner", "web_read", [7], specification=EMAIL), []),
    ],
)
def test_odoo_is_asked_whose_address_it_is(found: tuple[Inquiry, ...], inquiries: list[Inquiry]) -> None:
    assert list(found) == inquiries


@pytest.mark.parametrize(
    ("found", "inquiries"),
    [
        (
            asked("res.partner", "create", [{"name": "a", "child_ids": [[1, 7, EMAIL]]}, {"name": "b"}, {"name": "c"}]),
            [about_contacts(7)],
        ),
        (asked("res.partner", "create", [EMAIL, EMAIL, {"email": "c@b.example"}]), []),
        (
            asked("res.partner", "web_save_multi", [7, 8, 9], [EMAIL, {}, {}]),
            [about_contacts(7, 8, 9)],
        ),
        (asked("res.partner", "create", [{"name": "x"}, {"name": "y"}, {"child_ids": [[0, 0, EMAIL]]}]), []),
        (asked("res.partner", "create_from_ui", EMAIL), []),
    ],
)
def test_each_of_several_values_is_looked_at(found: tuple[Inquiry, ...], inquiries: list[Inquiry]) -> None:
    assert list(found) == inquiries


def test_of_several_addresses_none_is_known_to_be_the_same() -> None:
    found = asked("res.partner", "web_save_multi", [7, 9], [EMAIL, {"email": "other@b.example"}])
    assert found == (Inquiry("res.partner", [["id", "in", [7, 9]], USERS]),)


@pytest.mark.parametrize(
    "params",
    [
        {"model": "res.partner", "method": "write", "args": [["7"], EMAIL]},
        {"model": "res.partner", "method": "write", "args": [[True], EMAIL]},
        {"model": "res.partner", "method": "write", "args": ["7", EMAIL]},
        {"model": "res.partner", "method": "write", "args": {"0": [7]}},
        {"model": "res.partner", "method": "write", "args": [{"7": ""}, EMAIL]},
        {"model": "res.partner", "method": "write", "args": [], "kwargs": {"ids": {"7": ""}, "vals": EMAIL}},
        {"model": "res.partner", "method": "create_from_ui", "args": [{"id": 7, **EMAIL}]},
        {"model": "res.partner", "method": "write", "args": [[9], {"child_ids": [[True, 7, EMAIL]]}]},
        {"model": "res.partner", "method": "write", "args": [[9], {"child_ids": [[1.0, 7, EMAIL]]}]},
        {"model": "res.partner", "method": "write", "args": [[9], {"child_ids": [[1, 7, [EMAIL]]]}]},
        {"model": "res.partner", "method": "write", "args": [[9], {"child_ids": [[1, 7, {}, EMAIL]]}]},
        {"model": "project.task", "method": "write", "args": [[1], {"child_ids": [[1, 7, {"partner_email": "x"}]]}]},
        {"model": "calendar.event", "method": "write", "args": [[1], {"partner_ids": [[1, 7, EMAIL]]}]},
        {"model": "mail.resend.partner", "method": "create", "args": [{"notification_id": 1, **EMAIL}]},
        {"model": "mail.resend.partner", "method": "write", "args": [[1], EMAIL]},
        {"model": "mail.resend.message", "method": "write", "args": [[1], {"partner_ids": [[1, 2, EMAIL]]}]},
        {"model": "mail.resend.message", "method": "create", "args": [{"partner_ids": [[0, 0, EMAIL]]}]},
        {"model": "hr.applicant", "method": "create", "args": [{"candidate_id": 1, "email_from": "x"}]},
        {"model": "project.task", "method": "write", "args": [[1], {"user_ids": [[1, 6, EMAIL]]}]},
        {"model": "res.partner", "method": "write", "args": [[9], {"child_ids": [[1, "7", EMAIL]]}]},
        {"model": "crm.lead", "method": "create", "args": [{**EMAIL, "partner_id": "7"}]},
        {"model": "hr.employee", "method": "write", "args": [[1], {"work_email": "x", "user_id": 2}]},
        {"model": "res.partner", "method": "load", "args": [["id", "email"], []]},
        {"model": "crm.lead", "method": "load", "args": [["partner_id", "email_from"], []]},
        {"model": "event.registration", "method": "load", "args": [["event_id/registration_ids/.id", "x/email"], []]},
        {"model": "mailing.contact", "method": "execute_import", "args": [[1], ["id", "list_ids/email"], ["a"], {}]},
        {"model": "event.event", "method": "write", "args": [[1], {"registration_ids": [[True, 5, EMAIL]]}]},
        {"model": "event.event", "method": "write", "args": [[1], {"organizer_id": [[1, 5, EMAIL]]}]},
        {"model": "event.type", "method": "write", "args": [[1], {"registration_ids": [[1, 5, EMAIL]]}]},
        {"model": "event.registration", "method": "write", "args": [[1], {"partner_id": [[1, 7, EMAIL]]}]},
        {"model": "res.partner", "method": "web_resequence", "args": [[7]], "kwargs": {"field_name": "email"}},
    ],
)
def test_what_can_not_be_told_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(UnclearError):
        inquiries_about(params)


def test_records_are_not_put_into_an_order_by_their_address() -> None:
    with pytest.raises(UnclearError):
        inquiries_about({"model": "res.partner", "ids": [7], "field": "email"}, is_method=False)
    assert inquiries_about({"model": "res.partner", "ids": [7], "field": "sequence"}, is_method=False) == ()


def test_most_calls_are_not_looked_at() -> None:
    assert not may_write_address(b'{"params":{"args":[[7],{"phone":"1"}]}}', "write")
    assert may_write_address(b'{"params":{"args":[[7],{"e\\u006dail":"1"}]}}', "write")
    assert may_write_address(b"{}", "merge_opportunity")


def test_a_form_about_oneself_keeps_the_address() -> None:
    [found] = about_form(b"/my/account", b"", FORM, b"name=J&email=a%40b.example")
    assert found == Inquiry(
        "res.partner", [["user_ids.login", "=", "joel"], ["email", "=", "a@b.example"]], wanted=True
    )
    assert about_form(b"/my/account", b"x=1", FORM, b"name=J") == ()


def test_a_form_about_an_address_is_about_the_contact_that_it_names() -> None:
    assert about_form(b"/shop/address/submit", b"", FORM, b"email=x&partner_id=-1") == ()
    assert about_form(b"/shop/address/submit", b"", FORM, b"email=x") == ()
    [found] = about_form(b"/shop/address/submit", b"", FORM, b"email=x&partner_id=08")
    assert found == about_contacts(8, email="x")


PART = b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\na@b.example\r\n--x--\r\n'


def test_a_form_in_parts_says_the_same() -> None:
    [found] = about_form(b"/my/account", b"", b"multipart/form-data; boundary=x", PART)
    assert found.domain[-1] == ["email", "=", "a@b.example"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"multipart/form-data", PART),
        (b"multipart/form-data; boundary=y", PART),
        (b"multipart/form-data; boundary=x", PART.replace(b"\r\n\r\n", b"\n\n")),
        (b"multipart/form-data; boundary=x", PART.replace(b'"email"', b"email")),
        (b"multipart/form-data; boundary=x", PART.replace(b"a@b.example", b"a\n--x\nb")),
        (b"multipart/form-data; boundary=x", PART.replace(b"a@b.example", b"\xff")),
        (b"multipart/form-data; boundary=x", PART.replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain\r\n\r\n", 1)),
        (FORM, b"email=\xff"),
        (FORM, b"&".join([b"a=1"] * 300)),
        (b"text/plain", b"email=x"),
        (b"application/x-www-form-urlencoded, multipart/form-data", b"email=x"),
    ],
)
def test_a_form_that_could_be_read_differently_is_refused(kind: bytes, body: bytes) -> None:
    with pytest.raises(UnclearError):
        list(about_form(b"/my/account", b"", kind, body))


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        (b"POST", b"/my/account", b"/my/account"),
        (b"POST", b"/en/My/%61ccount/", b"/my/account"),
        (b"POST", b"/shop/address/submit", b"/shop/address/submit"),
        (b"GET", b"/my/account", None),
        (b"POST", b"/my/accounts", None),
    ],
)
def test_the_forms_are_known_in_each_spelling(method: bytes, path: bytes, found: bytes | None) -> None:
    assert edited_details(method, path) == found


@pytest.mark.parametrize("columns", [["name", "email", "partner_id"], [".id", "email"], ["partner_id/.id", "email"]])
def test_addresses_that_an_import_may_pass_on_must_be_of_a_model_that_keeps_them(columns: list[str]) -> None:
    [*_, found] = asked("base_import.import", "execute_import", [5], columns, ["a", "b"], {})
    assert found.domain == [["id", "in", [5]], ["res_model", "in", ["event.registration", "mailing.contact"]]]
    assert found.wanted
    assert found.text
    assert asked("event.registration", "load", columns, [["x", "y", "7"]]) == ()


@pytest.mark.parametrize(
    "found",
    [
        asked("event.registration", "create", [{"event_id": 1, "partner_id": 7, **EMAIL}]),
        asked("event.registration", "write", [5], EMAIL),
        asked("event.registration", "web_save", [5], EMAIL, context={"default_partner_id": 7}),
        asked("event.event", "web_save", [1], {"registration_ids": [[1, 5, EMAIL], [0, "virtual_1", EMAIL]]}),
        asked("mailing.contact", "write", [5], EMAIL),
        asked("hr.employee", "write", [5], {"private_email": "a@b.example"}),
        asked("hr.employee", "create", [{"private_email": "a@b.example", "user_id": 6}]),
        asked("mailing.list", "write", [5], {"contact_ids": [[1, 7, EMAIL]]}),
    ],
)
def test_records_that_keep_their_address_are_not_asked_about(found: tuple[Inquiry, ...]) -> None:
    assert found == ()


def test_contacts_below_such_a_record_are_asked_about() -> None:
    assert asked("event.event", "write", [1], {"registration_ids": [[1, 5, EMAIL]], **EMAIL}) != ()
    assert asked("hr.employee", "write", [1], {"private_email": "a@b.example", "work_email": "a@b.example"}) != ()
    with pytest.raises(UnclearError):
        asked("hr.employee", "write", [5], {"child_ids": [[1, 7, {"private_email": "a@b.example"}]]})
    with pytest.raises(UnclearError):
        asked("event.registration", "write", [5], {"partner_ids": [[1, 7, EMAIL]]})


def test_an_import_from_a_file_is_asked_what_it_is_of() -> None:
    found = asked("base_import.import", "execute_import", [5], ["name", "phone"], ["a", "b"], {})
    assert [each.domain[0] for each in found] == [["id", "in", [5]]] * 2
    assert {"res.users", "res.groups"} == set(found[0].domain[1][2])
    assert {"ir.ui.view", "mail.template", "mailing.mailing"} <= set(found[1].domain[1][2])
    assert found[0].text != found[1].text
    [identities, _] = asked("base_import.import", "execute_import", [5], ["name", "user_ids/.id"], [], {})
    assert "res.partner" in identities.domain[1][2]
    assert may_write_address(b"{}", "execute_import")


@pytest.mark.parametrize("columns", [["name", "mailing_mail_ids/body_html"], ["name", "inherit_children_ids/arch"]])
def test_no_template_is_imported_below_another_record(columns: list[str]) -> None:
    with pytest.raises(UnclearError):
        asked("base_import.import", "execute_import", [5], columns, [], {})


@pytest.mark.parametrize("ids", [[], ["5"], {"5": ""}, None])
def test_an_import_from_no_file_that_can_be_asked_about_is_refused(ids: object) -> None:
    with pytest.raises(UnclearError):
        asked("base_import.import", "execute_import", ids, ["name"], [], {})


def test_contacts_that_become_one_are_asked_about() -> None:
    [found] = asked("base.partner.merge.automatic.wizard", "action_merge", [3])
    assert found.domain == [["id", "in", [3]], ["partner_ids.user_ids", "!=", False]]
