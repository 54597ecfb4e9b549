"""Odoo's assets, kept on disk and answered from there."""
