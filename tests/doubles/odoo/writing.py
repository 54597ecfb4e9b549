"""Model methods that write, whatever they are called."""

from __future__ import annotations

from typing import Any

from tests.doubles.odoo import rights
from tests.doubles.odoo.calls import Call, general, method, shown
from tests.doubles.odoo.store import Author, Database, Record, UserMistake

# What users may change about themselves although they may not write users.
_OWN_FIELDS = {"name", "email", "signature", "lang", "tz", "action_id", "company_id", "image_1920", "notification_type"}


@method("create", "web_create")
def create(call: Call) -> Any:
    """One record for a dict, several for a list."""
    values = call.argument(0, "vals_list", {})
    if isinstance(values, list):
        return [call.create(each) for each in values]
    return call.create(values)


@method("write")
def write(call: Call) -> Any:
    """Other values."""
    call.write(call.ids, call.argument(1, "vals", {}))
    return True


@method("web_save")
def _web_save(call: Call) -> Any:
    ids, values = call.ids, call.argument(1, "vals", {})
    if ids:
        call.write(ids, values)
    else:
        ids = [call.create(values)]
    return [shown(record, call.kwargs.get("specification")) for record in call.db.browse(call.model, ids)]


@method("web_save_multi")
def _web_save_multi(call: Call) -> Any:
    ids = call.ids
    for id, values in zip(ids, call.argument(1, "vals_list", []), strict=True):
        call.write([id], values)
    return [shown(record, call.kwargs.get("specification")) for record in call.db.browse(call.model, ids)]


@method("web_resequence")
def _web_resequence(call: Call) -> Any:
    name, offset = call.kwargs.get("field_name", "sequence"), int(call.kwargs.get("offset") or 0)
    for position, id in enumerate(call.ids, offset):
        call.write([id], {name: position})
    return [shown(record, call.argument(1, "specification", None)) for record in call.browse()]


@method("unlink")
def _unlink(call: Call) -> Any:
    gone = [each["id"] for each in call.browse(rights.UNLINK)]
    call.db.unlink(call.author, call.model, gone)
    return True


@method("name_create")
def _name_create(call: Call) -> Any:
    name = str(call.argument(0, "name", ""))
    return [call.create({"name": name}), name]


@method("copy")
def _copy(call: Call) -> Any:
    changed = call.argument(1, "default", None) or {}
    made = []
    for record in call.browse():
        values = {name: value for name, value in record.items() if name not in {"id", "create_uid", "write_uid"}}
        made.append(call.create({**values, "name": f"{record.get('name')} (copy)", **changed}))
    return made


@method("load")
def _load(call: Call) -> Any:
    """The importer: rows under field names."""
    names, rows = call.argument(0, "fields", []), call.argument(1, "data", [])
    made = [call.create(dict(zip(names, row, strict=False))) for row in rows]
    return {"ids": made, "messages": [], "nextrow": 0}


@method("execute_import", of="base_import.import")
def _execute_import(call: Call) -> Any:
    """The importer's last step: the lines of the file, each a name, into the model of the wizard."""
    (wizard,) = call.browse()
    target = Call(call.db, call.user, call.route, wizard["res_model"], call.method)
    if call.kwargs.get("dryrun"):
        return {"ids": [], "messages": []}
    lines = str(wizard.get("file") or "").splitlines()
    return {"ids": [target.create({"name": line}) for line in lines], "messages": []}


@method("action_archive", "action_unarchive", "toggle_active")
def _archive(call: Call) -> Any:
    for record in call.browse(rights.WRITE):
        wanted = call.method == "action_unarchive"
        if call.method == "toggle_active":
            wanted = not record.get("active", True)
        call.write([record["id"]], {"active": wanted})
    return True


@method("action_confirm", of="sale.order")
def _action_confirm(call: Call) -> Any:
    for record in call.browse(rights.WRITE):
        if record.get("state") == "sale":
            raise UserMistake("Some orders are not in a state requiring confirmation: " + str(record.get("name")))
    call.write(call.ids, {"state": "sale"})
    return True


@method("action_cancel", of="sale.order")
def _action_cancel(call: Call) -> Any:
    call.write(call.ids, {"state": "cancel"})
    return True


@method("action_set_won_rainbowman", of="crm.lead")
def _action_set_won(call: Call) -> Any:
    call.write(call.ids, {"stage_id": 3, "probability": 100})
    return False


# Users and their settings.


@method("write", of="res.users")
def _write_users(call: Call) -> Any:
    write_users(call, call.ids, call.argument(1, "vals", {}))
    return True


@method("web_save", of="res.users")
def _web_save_users(call: Call) -> Any:
    ids, values = call.ids, call.argument(1, "vals", {})
    if not ids:
        return general("web_save")(call)
    write_users(call, ids, values)
    return [shown(record, call.kwargs.get("specification")) for record in call.db.browse(call.model, ids)]


def write_users(call: Call, ids: list[int], values: Record) -> None:
    """Other values in users: a password, a login or being active goes to who logs in, and ends sessions."""
    own = ids == [call.user.id] and set(values) <= _OWN_FIELDS
    if not own:
        rights.browse(call.db, call.user, "res.users", ids, rights.WRITE)
    call.db.write(call.author, "res.users", ids, {k: v if k != "password" else "***" for k, v in values.items()})
    for id in ids:
        call.db.records["res.users"][id].pop("password", None)
        user = call.db.users[id]
        user.password = str(values.get("password", user.password))
        user.login, user.name = str(values.get("login", user.login)), str(values.get("name", user.name))
        user.active = bool(values.get("active", user.active))


@method("preference_save", "preference_cancel", of="res.users")
def _preference_save(_call: Call) -> Any:
    """The button below one's preferences: what it saves was saved by web_save before."""
    return {"type": "ir.actions.client", "tag": "reload_context"}


@method("set_res_users_settings", of="res.users.settings")
def _set_res_users_settings(call: Call) -> Any:
    wanted = dict(call.argument(1, "new_settings", {}))
    (record,) = call.browse(rights.WRITE)
    changed = {name: value for name, value in wanted.items() if record.get(name) != value}
    call.write(call.ids, changed)
    return {"id": record["id"], **changed}


# Messages.


@method("message_post")
def _message_post(call: Call) -> Any:
    call.browse()
    body = str(call.kwargs.get("body", ""))
    values = {"model": call.model, "res_id": call.ids[0], "body": body, "author_id": call.user.partner_id}
    return [call.db.create(call.author, "mail.message", values)]


@method("message_subscribe", "message_unsubscribe")
def _message_subscribe(call: Call) -> Any:
    call.browse()
    partners = call.argument(1, "partner_ids", None) or [call.user.partner_id]
    for id in call.ids:
        for partner in partners:
            values = {"res_model": call.model, "res_id": id, "partner_id": partner}
            call.db.create(call.author, "mail.followers", values)
    return True


@method("toggle_message_starred", "set_message_done", of="mail.message")
def _mark_message(call: Call) -> Any:
    call.browse()
    call.db.note(call.author, call.model, call.method, call.ids, {})
    return None


@method("mark_all_as_read", "unstar_all", of="mail.message")
def _mark_all(call: Call) -> Any:
    call.db.note(call.author, call.model, call.method, sorted(call.db.records["mail.message"]), {})
    return None


@method("register_as_main_attachment", of="ir.attachment")
def _register_as_main_attachment(call: Call) -> Any:
    """The client does so by itself when it shows the first file of a record."""
    call.db.note(call.author, call.model, call.method, call.ids, {})
    return None


@method("run", of="ir.actions.server")
def _run_server_action(call: Call) -> Any:
    call.browse()
    for id in call.ids:
        run_server_action(call.db, call.author, id)
    return False


def run_server_action(db: Database, author: Author, id: int) -> None:
    """The code of a server action: that of number 1 renames every partner, that of number 3 makes a first task."""
    if id == 1:
        db.write(author, "res.partner", sorted(db.records["res.partner"]), {"name": "Renamed"})
    elif id == 3:
        db.create(author, "project.task", {"name": "Welcome"})
