"""Messages, attachments and presence."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.doubles.odoo import answers, measured
from tests.doubles.odoo.answers import Answer, Refusal
from tests.doubles.odoo.routing import route
from tests.doubles.odoo.visit import Visit

_POST = ("POST",)


@route("/mail/action", "/mail/data", kind="json", methods=_POST)
def data(visit: Visit) -> dict[str, Any]:
    """What the client keeps about its user, and the channels that they are in."""
    store: dict[str, Any] = {"self": {"id": visit.user.partner_id, "type": "partner"}}
    if visit.user.internal:
        channels = visit.database.records["discuss.channel"].values()
        store["discuss.channel"] = [{"id": each["id"], "name": each["name"]} for each in channels]
    return {"Store": store}


@route("/discuss/search", kind="json", methods=_POST)
def search(visit: Visit) -> dict[str, Any]:
    """Channels whose name holds a term."""
    term = str(visit.params.get("term") or "").lower()
    channels = visit.database.records["discuss.channel"].values()
    return {"discuss.channel": [{"id": each["id"]} for each in channels if term in each["name"].lower()]}


@route("/mail/inbox/messages", auth="user", kind="json", methods=_POST)
def inbox(visit: Visit) -> dict[str, Any]:
    """Nothing to read."""
    del visit
    return {"data": {}, "messages": []}


@route("/mail/thread/messages", kind="json", methods=_POST)
def thread_messages(visit: Visit) -> dict[str, Any]:
    """Numbers of the messages on a record, newest first."""
    return {"data": {}, "messages": _messages_of(visit)}


@route("/mail/thread/data", kind="json", methods=_POST)
def thread_data(visit: Visit) -> dict[str, Any]:
    """Attachments of a record."""
    params, db = visit.params, visit.database
    found = [
        {"id": each["id"], "name": each["name"]}
        for each in db.records["ir.attachment"].values()
        if (each.get("res_model"), each.get("res_id")) == (params.get("thread_model"), params.get("thread_id"))
    ]
    return {"ir.attachment": found}


@route("/discuss/channel/messages", kind="json", methods=_POST)
def channel_messages(visit: Visit) -> dict[str, Any]:
    """The messages of a channel."""
    ids = _messages_of(visit)
    stored = visit.database.records["mail.message"]
    return {"data": {"mail.message": [{"id": id, "body": stored[id]["body"]} for id in ids]}, "messages": ids}


@route("/discuss/channel/notify_typing", kind="json", methods=_POST)
def notify_typing(visit: Visit) -> None:
    """Tell the others that somebody types."""
    values = {"is_typing": visit.params.get("is_typing")}
    visit.database.note(visit.author, "discuss.channel.member", "notify_typing", [], values)
    visit.world.bus.send(visit.database.name, "discuss.channel_1", "discuss.channel.member/typing_status", {})


@route("/discuss/channel/mark_as_read", "/discuss/channel/set_last_seen_message", kind="json", methods=_POST)
def mark_as_read(visit: Visit) -> None:
    """The client does so by itself when it shows a channel."""
    db, channel = visit.database, int(visit.params["channel_id"])
    members = db.records["discuss.channel.member"]
    own = {"channel_id": channel, "partner_id": visit.user.partner_id}
    values = {"seen_message_id": visit.params.get("last_message_id")}
    for id, member in members.items():
        if own.items() <= member.items():
            db.write(visit.author, "discuss.channel.member", [id], values)
            return
    db.create(visit.author, "discuss.channel.member", {**own, **values})


def _messages_of(visit: Visit) -> list[int]:
    params, messages = visit.params, visit.database.records["mail.message"]
    wanted = (params.get("thread_model", "discuss.channel"), params.get("thread_id", params.get("channel_id")))
    return sorted((id for id, each in messages.items() if (each["model"], each["res_id"]) == wanted), reverse=True)


@route("/mail/message/post", kind="json", auth="user", methods=_POST)
def post(visit: Visit) -> dict[str, Any]:
    """Write a message on a record, and tell the bus."""
    params = visit.params
    content = dict(params.get("post_data") or {})
    values = {
        "model": params.get("thread_model"),
        "res_id": params.get("thread_id"),
        "body": content.get("body", ""),
        "author_id": visit.user.partner_id,
    }
    id = visit.database.create(visit.author, "mail.message", values)
    visit.world.bus.send(visit.database.name, None, "mail.record/insert", {"mail.message": [{"id": id}]})
    return {"message_id": id, "data": {"mail.message": [{"id": id, "body": values["body"]}]}}


@route("/mail/message/update_content", "/mail/message/reaction", kind="json", auth="user", methods=_POST)
def update_content(visit: Visit) -> dict[str, Any]:
    """Another text of one's message, or a reaction to anybody's."""
    params = visit.params
    id = int(params["message_id"])
    values: dict[str, Any] = {name: params[name] for name in ("body", "content", "action") if name in params}
    visit.database.write(visit.author, "mail.message", [id], values)
    return {"mail.message": [{"id": id}]}


@route("/mail/attachment/upload", "/web/binary/upload_attachment", methods=_POST)
def upload(visit: Visit) -> Answer:
    """A file of a multipart form, kept byte for byte."""
    file = visit.files.get("ufile")
    if file is None or not visit.logged_in:
        raise Refusal(400 if visit.logged_in else 404, "no file")
    form, db = visit.form, visit.database
    values = {
        "name": file.filename,
        "mimetype": file.content_type,
        "res_model": form.get("thread_model") or form.get("model"),
        "res_id": int(form.get("thread_id") or form.get("id") or 0),
    }
    id = db.create(visit.author, "ir.attachment", values)
    db.filestore[id] = file.body
    shown = {"id": id, "name": file.filename, "size": len(file.body), "checksum": hashlib.sha1(file.body).hexdigest()}
    known = measured.called(visit.path, len(visit.body))
    size, compressed = (known.size, known.gzip6_bytes or 0) if known else (0, 0)
    return answers.json_bytes(answers.lengthened({"data": {"ir.attachment": [shown]}}, size, compressed, visit.path))


@route("/mail/attachment/delete", kind="json", auth="user", methods=_POST)
def delete(visit: Visit) -> None:
    """Take an attachment away."""
    id = int(visit.params["attachment_id"])
    if id in visit.database.records["ir.attachment"]:
        visit.database.unlink(visit.author, "ir.attachment", [id])


@route("/web_editor/attachment/add_data", "/html_editor/attachment/add_data", kind="json", auth="user", methods=_POST)
def add_data(visit: Visit) -> dict[str, Any]:
    """A picture put into a text."""
    values = {"name": str(visit.params["name"]), "mimetype": "image/png", "res_model": "ir.ui.view"}
    id = visit.database.create(visit.author, "ir.attachment", values)
    visit.database.filestore[id] = str(visit.params.get("data", "")).encode()
    return {"id": id, "name": values["name"]}


@route("/base_import/set_file", auth="user", methods=_POST)
def set_file(visit: Visit) -> Answer:
    """The file of the importer."""
    file = visit.files.get("ufile") or visit.files.get("file")
    if file is None:
        raise Refusal(400, "no file")
    id = int(visit.values.get("import_id") or visit.values.get("id") or 0)
    visit.run("base_import.import", "write", [[id], {"file": file.body.decode(errors="replace")}], {})
    return answers.json_answer({"result": True})
