"""Odoo's web client with an empty cache: directly, through nginx, and through Guestpass."""

from __future__ import annotations

from bench.web_client.report import document, print_report
from bench.web_client.run import measure

__all__ = ["document", "measure", "print_report"]
