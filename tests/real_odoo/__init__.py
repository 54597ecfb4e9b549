"""A real Odoo from a source tree: to run the suite of `tests/odoo` on, and to read what it has (`scripts/odoo`)."""
