"""HTTP as Odoo speaks it: requests, responses, JSON-RPC bodies and the paths that are blocked."""
