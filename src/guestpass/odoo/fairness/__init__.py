"""Share an Odoo out: requests take turns, bodies wait on disk, long ones are examined by another process."""
