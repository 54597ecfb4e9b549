"""Questions of our own to environments: is it there, is it an Odoo, sign in and out."""
