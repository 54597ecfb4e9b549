"""The Odoo that tests run on: the double, or the real one that `scripts/odoo test` has started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.doubles.odoo import handle
from tests.doubles.odoo.handle import Odoo
from tests.markers import starts
from tests.real_odoo.handle import chosen, real_odoo


@starts("slow")
@contextmanager
def running_odoo(**options: Any) -> Iterator[Odoo]:
    """An Odoo for a test; whoever gives options, which are the double's, is marked `double_only`."""
    instance = chosen()
    with real_odoo(instance, **options) if instance is not None else handle.running_odoo(**options) as odoo:
        yield odoo
