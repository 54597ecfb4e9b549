"""What only Odoo needs: the profile of environments of kind `odoo`."""
