"""What Odoo answers, by area. Importing an area registers its routes."""

from __future__ import annotations

from importlib import import_module

_AREAS = (
    "files",
    "images",
    "website",
    "login",
    "webclient",
    "datasets",
    "mail",
    "portal",
    "reports",
    "databases",
    "external",
    "bus",
)


def load() -> None:
    """Register all routes, and the model methods that they call."""
    for methods in ("calls", "writing", "credentials"):
        import_module(f"tests.doubles.odoo.{methods}")
    for area in _AREAS:
        import_module(f"tests.doubles.odoo.routes.{area}")
