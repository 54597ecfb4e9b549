"""Who may do what: model access by group and operation, and rules that leave some of a model's records out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.doubles.odoo.store import AccessRefused, Database, Domain, Record, matches
from tests.doubles.odoo.users import (
    ALL_LEADS,
    ERP_MANAGER,
    PARTNER_MANAGER,
    PORTAL,
    PUBLIC_GROUP,
    SALE_MANAGER,
    SALESMAN,
    SYSTEM,
    USER,
    User,
)

READ, WRITE, CREATE, UNLINK = "read", "write", "create", "unlink"
_ALL = (READ, WRITE, CREATE, UNLINK)
_VERBS = {READ: "access", WRITE: "modify", CREATE: "create", UNLINK: "delete"}
_R = (READ,)
_RW = (READ, WRITE)
_RWC = (READ, WRITE, CREATE)

# As in the ir.model.access.csv files of base, mail, crm, sale and product. No row for a group is no right.
_ACCESS: dict[str, dict[str, tuple[str, ...]]] = {
    "res.partner": {USER: _R, PORTAL: _R, PUBLIC_GROUP: _R, PARTNER_MANAGER: _ALL},
    "res.users": {USER: _R, PORTAL: _R, PUBLIC_GROUP: _R, ERP_MANAGER: _ALL},
    "res.users.settings": {USER: _RWC, PORTAL: _R},
    "res.users.apikeys": {USER: _R, PORTAL: _R},
    "res.users.apikeys.description": {USER: _ALL, PORTAL: _ALL},
    "res.users.identitycheck": {USER: _ALL, PORTAL: _ALL},
    "change.password.own": {USER: _ALL},
    "change.password.wizard": {ERP_MANAGER: _RWC},
    "auth_totp.wizard": {USER: _ALL, PORTAL: _ALL},
    "crm.lead": {SALESMAN: _RWC, SALE_MANAGER: _ALL},
    "crm.stage": {USER: _R, SALE_MANAGER: _ALL},
    "sale.order": {SALESMAN: _RWC, SALE_MANAGER: _ALL, PORTAL: _R},
    "product.template": {USER: _R, PORTAL: _R, PUBLIC_GROUP: _R, SALE_MANAGER: _ALL},
    "discuss.channel": {USER: _RWC, SYSTEM: _ALL},
    "discuss.channel.member": {USER: _ALL},
    "mail.message": {USER: _ALL, PORTAL: _R},
    "mail.mail": {SYSTEM: _ALL},
    "mail.followers": {USER: _R, SYSTEM: _ALL},
    "bus.presence": {USER: _ALL, PORTAL: _R},
    "ir.attachment": {USER: _ALL},
    "ir.actions.server": {USER: _R, SYSTEM: _ALL},
    "base_import.import": {USER: _ALL},
    "ir.config_parameter": {SYSTEM: _ALL},
    "ir.cron": {SYSTEM: _ALL},
    "ir.module.module": {SYSTEM: _ALL},
    "ir.rule": {ERP_MANAGER: _ALL},
    "ir.model.access": {ERP_MANAGER: _ALL},
}
# A wizard's record is its maker's alone.
_TRANSIENT = {
    "res.users.apikeys.description",
    "res.users.identitycheck",
    "change.password.own",
    "change.password.wizard",
    "auth_totp.wizard",
    "base_import.import",
}


@dataclass(frozen=True)
class Rule:
    """Which records of a model a group is left with. Of a user's groups with rules, any one suffices."""

    model: str
    group: str
    domain: Callable[[User], Domain]


def _everything(_user: User) -> Domain:
    return []


def _own_or_nobodys(user: User) -> Domain:
    return ["|", ["user_id", "=", user.id], ["user_id", "=", False]]


_RULES = (
    Rule("crm.lead", SALESMAN, _own_or_nobodys),
    Rule("crm.lead", ALL_LEADS, _everything),
    Rule("sale.order", SALESMAN, _own_or_nobodys),
    Rule("sale.order", ALL_LEADS, _everything),
    Rule("sale.order", PORTAL, lambda user: [["partner_id", "=", user.partner_id]]),
    Rule("res.partner", PORTAL, lambda user: [["id", "=", user.partner_id]]),
    Rule("res.partner", PUBLIC_GROUP, lambda user: [["id", "=", user.partner_id]]),
    Rule("res.users", PORTAL, lambda user: [["id", "=", user.id]]),
    Rule("res.users", PUBLIC_GROUP, lambda user: [["id", "=", user.id]]),
    Rule("res.users.settings", USER, lambda user: [["user_id", "=", user.id]]),
    Rule("res.users.settings", PORTAL, lambda user: [["user_id", "=", user.id]]),
    Rule("res.users.apikeys", USER, lambda user: [["user_id", "=", user.id]]),
    Rule("res.users.apikeys", PORTAL, lambda user: [["user_id", "=", user.id]]),
    Rule("res.users.apikeys", SYSTEM, _everything),
)


def may(user: User, model: str, operation: str) -> bool:
    """Whether a group of the user has the right; raises ValueError for an operation that there isn't."""
    if operation not in _ALL:
        raise ValueError(f"Invalid access mode: {operation!r}")
    return any(operation in granted and user.has_group(group) for group, granted in _ACCESS.get(model, {}).items())


def check(user: User, model: str, operation: str) -> None:
    """Raises AccessRefused, in Odoo's words, where no group has the right."""
    if may(user, model, operation):
        return
    groups = [group for group, granted in _ACCESS.get(model, {}).items() if operation in granted]
    listed = "".join(f"\n\t- {group}" for group in groups)
    allowed = f"This operation is allowed for the following groups:{listed}" if groups else _NOBODY
    raise AccessRefused(
        f"You are not allowed to {_VERBS[operation]} '{model}' ({model}) records.\n\n{allowed}\n\n"
        "Contact your administrator to request access if necessary."
    )


_NOBODY = "No group currently allows this operation."


def within_rules(user: User, model: str, records: Iterable[Record]) -> list[Record]:
    """The records that the rules leave to the user."""
    if model in _TRANSIENT:
        return [each for each in records if each.get("create_uid") == user.id]
    applied = [rule for rule in _RULES if rule.model == model and user.has_group(rule.group)]
    if not applied:
        return list(records)
    domains = [rule.domain(user) for rule in applied]
    return [each for each in records if any(matches(each, domain) for domain in domains)]


def browse(db: Database, user: User, model: str, ids: Iterable[int], operation: str) -> list[Record]:
    """The records of these ids; raises AccessRefused and MissingRecord."""
    check(user, model, operation)
    records = db.browse(model, ids)
    if len(within_rules(user, model, records)) < len(records):
        raise AccessRefused(
            f"Uh-oh! Looks like you have stumbled upon some top-secret records.\n\nSorry, {user.name} (id={user.id}) "
            f"doesn't have '{operation}' access to:\n- {model} ({model})\n\n"
            "If you really, really need access, perhaps you can win over your friendly administrator."
        )
    return records
