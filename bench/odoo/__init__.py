"""What a request costs that goes to an Odoo, through each kind of link and through nginx."""

from __future__ import annotations

from bench.odoo.loads import LOADS
from bench.odoo.report import CHART, SAMPLES, document, draw, markdown, print_report
from bench.odoo.run import measure_odoo
from bench.odoo.ways import WAYS

__all__ = ["CHART", "LOADS", "SAMPLES", "WAYS", "document", "draw", "markdown", "measure_odoo", "print_report"]
