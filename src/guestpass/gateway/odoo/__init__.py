"""What only Odoo needs: rules over bytes, without sockets, so that each can be read and tested alone."""
