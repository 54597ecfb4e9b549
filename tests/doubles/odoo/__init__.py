"""A test double of Odoo 18 on real sockets; see the README beside this file.

Tests start one with `running_odoo` and speak to it as a gateway or a browser would; `Odoo` inspects and steers it.
"""

from __future__ import annotations

from tests.doubles.odoo.handle import Odoo, running_odoo

__all__ = ["Odoo", "running_odoo"]
