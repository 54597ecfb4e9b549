"""Guestpass: share links to running Odoo environments."""

__version__ = "0.1.0.dev0"
