"""Model methods that change how somebody logs in: passwords, API keys, second factors, and the check before them."""

from __future__ import annotations

import secrets
import time
from typing import Any

from tests.doubles.odoo import rights
from tests.doubles.odoo.calls import Call, Method, method, run, window
from tests.doubles.odoo.store import AccessDenied, UserMistake

# How long after giving the password again one isn't asked for it.
_TRUSTED = 600.0
# The code that any authenticator shows here.
TOTP_CODE = "123456"


def _checked(action: Method) -> Method:
    """Ask for the password first: the answer is a wizard whose `run_check` goes on."""

    def ask_or_run(call: Call) -> Any:
        if call.session is None:
            raise UserMistake("This method can only be accessed over HTTP")
        checked = call.session.identity_checked
        if checked is not None and checked > time.monotonic() - _TRUSTED:
            return action(call)
        values = {"request": [call.model, call.method, call.args, call.kwargs]}
        id = call.db.create(call.author, "res.users.identitycheck", values)
        return window("res.users.identitycheck", id, name="Access Control", target="new")

    return ask_or_run


@method("run_check", of="res.users.identitycheck")
def _run_check(call: Call) -> Any:
    (wizard,) = call.browse()
    password = str(call.context.get("password") or wizard.pop("password", ""))
    if call.session is None or call.user.password != password:
        raise UserMistake("Incorrect Password, try again or click on Forgot Password to reset your password.")
    call.session.identity_checked = time.monotonic()
    model, name, args, kwargs = wizard["request"]
    return run(Call(call.db, call.user, call.route, model, name, args, kwargs, call.session))


def set_password(call: Call, password: str) -> None:
    """Give the user of the call another password; raises UserMistake for an empty one."""
    if not password.strip():
        raise UserMistake("Setting empty passwords is not allowed for security reasons!")
    call.db.note(call.author, "res.users", "password", [call.user.id], {})
    call.user.password = password.strip()


@method("change_password", of="res.users")
def change_password(call: Call) -> Any:
    """The old and the new one. Every session of the user ends, this one too."""
    old, new = str(call.argument(0, "old_passwd", "")), str(call.argument(1, "new_passwd", ""))
    if call.user.password != old:
        raise AccessDenied("Access Denied")
    set_password(call, new)
    return True


def _change_own_password(call: Call) -> Any:
    (wizard,) = call.browse()
    new, confirmed = str(wizard.get("new_password", "")), str(wizard.get("confirm_password", ""))
    if new != confirmed:
        raise UserMistake("The new password and its confirmation must be identical.")
    set_password(call, new)
    call.db.unlink(call.author, call.model, call.ids)
    return {"type": "ir.actions.client", "tag": "reload"}


method("change_password", of="change.password.own")(_checked(_change_own_password))


@method("change_password_button", of="change.password.wizard")
def _change_passwords(call: Call) -> Any:
    """An administrator gives others new passwords: lines as ``[0, 0, {"user_id": …, "new_passwd": …}]``."""
    (wizard,) = call.browse()
    for _, _, line in wizard.get("user_ids", []):
        user = call.db.users[int(line["user_id"])]
        call.db.note(call.author, "res.users", "password", [user.id], {})
        user.password = str(line["new_passwd"])
    return {"type": "ir.actions.act_window_close"}


def _make_key(call: Call) -> Any:
    (wizard,) = call.browse()
    key = secrets.token_hex(20)
    name = str(wizard.get("name") or "")
    call.user.api_keys[key] = name
    values = {"name": name, "user_id": call.user.id, "scope": "rpc"}
    call.db.create(call.author, "res.users.apikeys", values)
    call.db.unlink(call.author, call.model, call.ids)
    return window("res.users.apikeys.show", False, name="API Key Ready", target="new", context={"default_key": key})


method("make_key", of="res.users.apikeys.description")(_checked(_make_key))


def _remove_key(call: Call) -> Any:
    for record in call.browse():
        names = call.user.api_keys
        call.user.api_keys = {key: name for key, name in names.items() if name != record["name"]}
    call.db.unlink(call.author, call.model, call.ids)
    return {"type": "ir.actions.act_window_close"}


method("remove", of="res.users.apikeys")(_checked(_remove_key))


def _enable_wizard(call: Call) -> Any:
    if call.ids != [call.user.id]:
        raise UserMistake("Two-factor authentication can only be enabled for yourself")
    if call.user.totp is not None:
        raise UserMistake("Two-factor authentication already enabled")
    secret = " ".join(secrets.token_hex(2).upper() for _ in range(8))
    id = call.db.create(call.author, "auth_totp.wizard", {"user_id": call.user.id, "secret": secret, "code": ""})
    return window("auth_totp.wizard", id, name="Two-Factor Authentication Activation", target="new")


method("action_totp_enable_wizard", of="res.users")(_checked(_enable_wizard))


def _enable(call: Call) -> Any:
    (wizard,) = call.browse()
    code = "".join(str(wizard.get("code") or "").split())
    if not code.isdigit():
        raise UserMistake("The verification code should only contain numbers")
    if code != TOTP_CODE or call.user.totp is not None:
        raise UserMistake("Verification failed, please double-check the 6-digit code")
    _set_totp(call, TOTP_CODE)
    return _notification("success", "2-Factor authentication is now enabled.")


method("enable", of="auth_totp.wizard")(_checked(_enable))


def _disable(call: Call) -> Any:
    if call.ids != [call.user.id] and not call.user.admin:
        return False
    for id in call.ids:
        call.db.users[id].totp = None
        call.db.note(call.author, "res.users", "totp", [id], {"enabled": False})
    _keep_session(call)
    return _notification("warning", "Two-factor authentication disabled")


method("action_totp_disable", of="res.users")(_checked(_disable))


def _set_totp(call: Call, code: str) -> None:
    call.user.totp = code
    call.db.note(call.author, "res.users", "totp", [call.user.id], {"enabled": True})
    _keep_session(call)


def _keep_session(call: Call) -> None:
    """The other sessions of the user end; this one is told the new token."""
    session = call.session
    if session is not None and session.uid == call.user.id:
        session.token = call.db.session_token(call.user.id, session.sid)


def _notification(kind: str, message: str) -> dict[str, Any]:
    following = {"type": "ir.actions.act_window_close"}
    params = {"type": kind, "message": message, "next": following}
    return {"type": "ir.actions.client", "tag": "display_notification", "params": params}


@method("action_reset_password", of="res.users")
def _reset_password(call: Call) -> Any:
    rights.browse(call.db, call.user, "res.users", call.ids, rights.WRITE)
    for id in call.ids:
        values = {"email_to": call.db.users[id].login, "subject": "Password reset"}
        call.db.create(call.author, "mail.mail", values)
    return True
