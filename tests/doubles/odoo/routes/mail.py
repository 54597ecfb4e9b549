"""Messages, attachments and presence."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.doubles.odoo import answers, measured
from tests.doubles.odoo.answers import Answer, Refusal
from tests.doubles.odoo.routing import route
from tests.doubles.odoo.visit import Visit


@route("/mail/action", "/mail/data", kind="json")
def data(visit: Visit) -> dict[str, Any]:
    """What the client keeps about its user."""
    return {"Store": {"self": {"id": visit.user.partner_id, "type": "partner"}}}


@route("/mail/inbox/messages", auth="user", kind="json")
def inbox(visit: Visit) -> dict[str, Any]:
    """Nothing to read."""
    del visit
    return {"data": {}, "messages": []}


@route("/mail/thread/messages", kind="json")
def thread_messages(visit: Visit) -> dict[str, Any]:
    """Numbers of the messages on a record, newest first."""
    return {"data": {}, "messages": _messages_of(visit)}


@route("/mail/thread/data", kind="json")
def thread_data(visit: Visit) -> dict[str, Any]:
    """Attachments of a record."""
    params, db = visit.params, visit.database
    found = [
        {"id": each["id"], "name": each["name"]}
        for each in db.records["ir.attachment"].values()
        if (each.get("res_model"), each.get("res_id")) == (params.get("thread_model"), params.get("thread_id"))
    ]
    return {"ir.attachment": found}


@route("/discuss/channel/messages", kind="json")
def channel_messages(visit: Visit) -> dict[str, Any]:
    """The messages of a channel."""
    return {"data": {}, "messages": _messages_of(visit)}


@route("/discuss/channel/notify_typing", kind="json")
def notify_typing(visit: Visit) -> None:
    """Tell the others that somebody types."""
    visit.world.bus.send(visit.database.name, "discuss.channel_1", "discuss.channel.member/typing_status", {})


def _messages_of(visit: Visit) -> list[int]:
    params, messages = visit.params, visit.database.records["mail.message"]
    wanted = (params.get("thread_model", "discuss.channel"), params.get("thread_id", params.get("channel_id")))
    return sorted((id for id, each in messages.items() if (each["model"], each["res_id"]) == wanted), reverse=True)


@route("/mail/message/post", kind="json", auth="user")
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
    id = visit.database.add("mail.message", values)
    visit.world.bus.send(visit.database.name, None, "mail.record/insert", {"mail.message": [{"id": id}]})
    return {"message_id": id, "data": {"mail.message": [{"id": id, "body": values["body"]}]}}


@route("/mail/attachment/upload", "/web/binary/upload_attachment", methods=("POST",))
def upload(visit: Visit) -> Answer:
    """A file of a multipart form, kept byte for byte."""
    file = visit.files.get("ufile")
    if file is None or not visit.logged_in:
        raise Refusal(400 if visit.logged_in else 404, "no file")
    form, db = visit.form, visit.database
    values = {
        "name": file.filename,
        "mimetype": file.content_type,
        "res_model": form.get("thread_model"),
        "res_id": int(form.get("thread_id") or 0),
        "create_uid": visit.user.id,
    }
    id = db.add("ir.attachment", values)
    db.filestore[id] = file.body
    shown = {"id": id, "name": file.filename, "size": len(file.body), "checksum": hashlib.sha1(file.body).hexdigest()}
    known = measured.called(visit.path, len(visit.body))
    size, compressed = (known.size, known.gzip6_bytes or 0) if known else (0, 0)
    return answers.json_bytes(answers.lengthened({"data": {"ir.attachment": [shown]}}, size, compressed, visit.path))


@route("/mail/attachment/delete", kind="json")
def delete(visit: Visit) -> None:
    """Take an attachment away."""
    visit.database.records["ir.attachment"].pop(int(visit.params["attachment_id"]), None)
