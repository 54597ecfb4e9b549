"""Who can log in: groups and what they imply, and the token that ties a session to its user."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

USER = "base.group_user"
PORTAL = "base.group_portal"
PUBLIC_GROUP = "base.group_public"
SYSTEM = "base.group_system"
ERP_MANAGER = "base.group_erp_manager"
PARTNER_MANAGER = "base.group_partner_manager"
EXPORT = "base.group_allow_export"
SALESMAN = "sales_team.group_sale_salesman"
ALL_LEADS = "sales_team.group_sale_salesman_all_leads"
SALE_MANAGER = "sales_team.group_sale_manager"

_IMPLIED = {
    SYSTEM: (ERP_MANAGER,),
    ERP_MANAGER: (USER,),
    PARTNER_MANAGER: (USER,),
    SALE_MANAGER: (ALL_LEADS,),
    ALL_LEADS: (SALESMAN,),
    SALESMAN: (USER,),
}
GROUPS = frozenset({USER, PORTAL, PUBLIC_GROUP, EXPORT, *_IMPLIED})
_STAFF = frozenset({USER, PARTNER_MANAGER, EXPORT})


@dataclass
class User:
    """A user who can log in, with their fields; `totp` is the code of the second factor."""

    id: int
    login: str
    password: str
    name: str
    partner_id: int
    groups: frozenset[str] = _STAFF
    active: bool = True
    totp: str | None = None
    api_keys: dict[str, str] = field(default_factory=dict)  # names by key

    def has_group(self, name: str) -> bool:
        """Whether the user is in a group, directly or because another implies it."""
        return name in _all(self.groups)

    @property
    def system(self) -> bool:
        """A Settings administrator: may do anything, and moves web.base.url."""
        return self.has_group(SYSTEM)

    @property
    def admin(self) -> bool:
        """Somebody who gives rights to others."""
        return self.has_group(ERP_MANAGER)

    @property
    def internal(self) -> bool:
        """An employee, who has the web client."""
        return self.has_group(USER)

    @property
    def portal(self) -> bool:
        """A customer, who sees /my only."""
        return self.has_group(PORTAL)

    def session_token(self, sid: str, secret: str) -> str:
        """What a session of this user must hold; another login, password or second factor makes it another."""
        held = (self.active, self.id, self.login, self.password, self.totp, secret)
        return hmac.new(repr(held).encode(), sid.encode(), hashlib.sha256).hexdigest()


def _all(groups: frozenset[str]) -> frozenset[str]:
    found, waiting = set(groups), list(groups)
    while waiting:
        for implied in _IMPLIED.get(waiting.pop(), ()):
            if implied not in found:
                found.add(implied)
                waiting.append(implied)
    return frozenset(found)


PUBLIC = User(4, "public", "", "Public user", 4, groups=frozenset({PUBLIC_GROUP}))


def people() -> list[User]:
    """The users of the demo data."""
    return [
        User(2, "admin", "admin", "Mitchell Admin", 3, _STAFF | {SYSTEM, SALE_MANAGER}),
        User(6, "demo", "demo", "Marc Demo", 7, _STAFF | {ALL_LEADS}),
        User(7, "portal", "portal", "Joel Willis", 8, frozenset({PORTAL})),
        User(8, "second", "second", "Second Factor", 9, _STAFF | {ALL_LEADS}, totp="123456"),
        User(9, "seller", "seller", "Sam Seller", 6, _STAFF | {SALESMAN}),
        User(11, "reader", "reader", "Rita Reader", 5, frozenset({USER})),
    ]
