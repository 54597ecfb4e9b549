"""What differs between the versions of Odoo in what the tests ask of them; the double is an 18.0 unless it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Version:
    """One version's facts."""

    bus: str  # the version of its client for the bus, without which a socket is closed
    presence: str = "bus.presence"  # the model in which it keeps who is there
    client: str = "/odoo"  # the path of its web client
    rights: tuple[str, ...] = ("account_right_contacts",)  # of demo in the demo data
    menus: str = "/web/webclient/load_menus/abc1234"
    translations: str = "/website/translations/abc1234"


VERSIONS: Final[Mapping[int, Version]] = {
    16: Version(
        "1.0.5",
        client="/web",
        rights=("account_right_website_design", "account_right_contacts", "account_right_mail_templates"),
    ),
    17: Version("17.0-1", client="/web"),
    18: Version("18.0-5"),
    19: Version(
        "19.0-2",
        presence="mail.presence",
        menus="/web/webclient/load_menus",
        translations="/website/translations",
    ),
}
