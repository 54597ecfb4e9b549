"""Work in modules that the tests' Odoo does not have at first, for a visitor whom a link signs in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from tests.installation import Installation
from tests.odoo.running import running_odoo
from tests.odoo.visitor import Visitor, opened
from tests.real_odoo.handle import RealOdoo

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.real_only("these modules' own code says what becomes of an address"),
]

COLLEAGUE = "colleague@example.com"
OTHER = "other@example.com"
GROUPS = (
    "base.group_user",
    "base.group_partner_manager",
    "event.group_event_manager",
    "mass_mailing.group_mass_mailing_user",
    "hr.group_hr_user",
    "sales_team.group_sale_manager",
)


@pytest.fixture(scope="module")
def odoo() -> Iterator[RealOdoo]:
    with running_odoo() as running:
        assert isinstance(running, RealOdoo)
        running.install("event", "mass_mailing", "hr")
        running.add_user("worker@example.com", "worker", *GROUPS)
        running.add_user(COLLEAGUE, "colleague")
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def worker(server: Installation, odoo: RealOdoo) -> AsyncIterator[Visitor]:
    account = {"login": "worker@example.com", "password": "worker"}
    async with opened(server, odoo, link_fields={"signInAs": account}) as someone:
        yield someone


async def done(worker: Visitor, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
    """What Odoo says to a call."""
    path = f"/web/dataset/call_kw/{model}/{method}"
    answer = (await worker.call(path, model=model, method=method, args=args, kwargs=kwargs)).json()
    assert "result" in answer, answer
    return answer["result"]


async def refused(worker: Visitor, model: str, method: str, *args: Any) -> None:
    path = f"/web/dataset/call_kw/{model}/{method}"
    answer = (await worker.call(path, model=model, method=method, args=args, kwargs={})).json()
    assert "isn't shared" in answer["error"]["data"]["message"]


def contact_of(odoo: RealOdoo, login: str) -> dict[str, Any]:
    [user] = [each for each in odoo.records("res.users", "login", "partner_id") if each["login"] == login]
    [contact] = [each for each in odoo.records("res.partner", "email") if each["id"] == user["partner_id"][0]]
    return {**contact, "user": user["id"]}


@pytest.fixture(scope="module")
def party(odoo: RealOdoo) -> int:
    """An event with room for everybody."""
    values = {"name": "Party", "date_begin": "2027-01-01 18:00:00", "date_end": "2027-01-01 23:00:00"}
    [event] = odoo.call("event.event", "create", [values])
    return int(event)


@pytest.fixture
def colleague(odoo: RealOdoo) -> Iterator[dict[str, Any]]:
    """A colleague, whose address stays what it is."""
    found = contact_of(odoo, COLLEAGUE)
    yield found
    assert contact_of(odoo, COLLEAGUE)["email"] == COLLEAGUE


async def test_a_colleague_is_registered_under_another_address(
    worker: Visitor, colleague: dict[str, Any], party: int
) -> None:
    values = {"event_id": party, "name": "Colleague", "partner_id": colleague["id"], "email": OTHER}
    [registered] = await done(worker, "event.registration", "create", [values])
    await done(worker, "event.registration", "write", [registered], {"email": f"2.{OTHER}"})
    await done(worker, "event.event", "write", [party], {"registration_ids": [[1, registered, {"email": OTHER}]]})
    [kept] = [each for each in worker.odoo.records("event.registration", "email") if each["id"] == registered]
    assert kept["email"] == OTHER


async def imported(worker: Visitor, model: str, *lines: str) -> dict[str, Any]:
    """The call that imports a file with these lines, the first of which names the columns."""
    values = {"res_model": model, "file_name": "a.csv", "file_type": "text/csv", "file": "\n".join(lines)}
    [file] = await done(worker, "base_import.import", "create", [values])
    columns = lines[0].split(",")
    options = {
        "has_headers": True,
        "quoting": '"',
        "separator": ",",
        "encoding": "utf-8",
        "float_decimal_separator": ".",
    }
    options |= {"date_format": "", "datetime_format": "", "float_thousand_separator": "", "keep_matches": False}
    options |= {
        "import_skip_records": [],
        "import_set_empty_fields": [],
        "fallback_values": {},
        "name_create_enabled_fields": {},
    }
    path = "/web/dataset/call_kw/base_import.import/execute_import"
    args = [[file], columns, columns, {**options, "skip": 0, "limit": 100, "tracking_disable": True}]
    answer = await worker.call(
        path, model="base_import.import", method="execute_import", args=args, kwargs={"dryrun": False}
    )
    told: dict[str, Any] = answer.json()
    return told


async def test_registrations_are_imported_with_their_contact(
    worker: Visitor, colleague: dict[str, Any], party: int
) -> None:
    line = f"Imported,imported@example.com,{party},{colleague['id']}"
    told = await imported(worker, "event.registration", "name,email,event_id/.id,partner_id/.id", line)
    assert told["result"]["ids"], told
    assert "imported@example.com" in [each["email"] for each in worker.odoo.records("event.registration", "email")]


async def test_contacts_are_imported_and_none_that_signs_in(worker: Visitor, colleague: dict[str, Any]) -> None:
    told = await imported(worker, "res.partner", "name,email", "Imported,new@example.com")
    assert told["result"]["ids"], told
    told = await imported(worker, "res.partner", ".id,email", f"{colleague['id']},evil@example.com")
    assert "isn't shared" in told["error"]["data"]["message"]
    lead = f"Imported,{colleague['id']},evil@example.com"
    told = await imported(worker, "crm.lead", "name,partner_id/.id,email_from", lead)
    assert "isn't shared" in told["error"]["data"]["message"]


async def test_a_mailing_greets_its_recipients(worker: Visitor, colleague: dict[str, Any]) -> None:
    del colleague
    [model] = [each for each in worker.odoo.records("ir.model", "model") if each["model"] == "mailing.contact"]
    body = '<p>Dear <t t-out="object.name">you</t>, {{ object.name }}</p>'
    values = {"subject": "For {{ object.name }}", "body_arch": body, "body_html": body, "mailing_model_id": model["id"]}
    [mailing] = await done(worker, "mailing.mailing", "create", [values])
    await done(worker, "mailing.contact", "create", [{"name": "Reader", "email": "reader@example.com"}])
    await refused(worker, "mailing.mailing", "write", [mailing], {"subject": "{{ object.sudo().name }}"})


async def test_a_mail_is_written_and_sent(worker: Visitor, colleague: dict[str, Any]) -> None:
    [lead] = await done(worker, "crm.lead", "create", [{"name": "Lamps", "email_from": "lead@example.com"}])
    numbers: dict[str, Any] = {"res_id": lead} if worker.odoo.major <= 16 else {"res_ids": f"[{lead}]"}
    values = {
        "model": "crm.lead",
        "subject": "Hello",
        "body": "<p>Hello</p>",
        "partner_ids": [[6, 0, [colleague["id"]]]],
    }
    [mail] = await done(worker, "mail.compose.message", "create", [values | numbers])
    await done(worker, "mail.compose.message", "action_send_mail", [mail])
    assert "Hello" in [each["subject"] for each in worker.odoo.records("mail.message", "subject")]


async def test_an_employees_address_is_their_users(odoo: RealOdoo, worker: Visitor, colleague: dict[str, Any]) -> None:
    [employee] = odoo.call("hr.employee", "create", [{"name": "Colleague", "user_id": colleague["user"]}])
    try:
        await refused(worker, "hr.employee", "write", [employee], {"work_email": "evil@example.com"})
        await done(worker, "hr.employee", "write", [employee], {"private_email": "home@example.com"})
    finally:
        odoo.call("hr.employee", "unlink", [employee])
