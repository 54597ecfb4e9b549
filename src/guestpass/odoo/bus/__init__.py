"""Odoo's bus: WebSockets that carry notifications."""
