"""The ASGI applications: API, documentation, visitors' pages and the dashboard."""
