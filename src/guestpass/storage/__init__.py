"""Persistence: tables, repositories, migrations and the feed of changes. Rows never leave this package."""
