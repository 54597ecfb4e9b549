"""Models that make tokens of records (`access_token`), by which whoever has one opens an order without signing in."""

from __future__ import annotations

from typing import Final

TOKEN_WIZARDS: Final = frozenset(
    {
        "coupon.share",
        "mail.template.preview",
        "payment.link.wizard",
        "portal.share",
        "portal.wizard",
        "portal.wizard.user",
        "project.share.collaborator.wizard",
        "project.share.wizard",
        "spreadsheet.dashboard.share",
        "survey.invite",
        "task.share.wizard",
    }
)
"""Models that make tokens or hand them out, some of them as soon as their form is opened."""
