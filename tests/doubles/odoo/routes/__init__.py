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
    "reports",
    "databases",
    "external",
    "bus",
)


def load() -> None:
    """Register all routes."""
    for area in _AREAS:
        import_module(f"tests.doubles.odoo.routes.{area}")
