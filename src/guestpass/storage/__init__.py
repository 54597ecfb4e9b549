"""Where things are kept: tables, repositories, migrations and the feed of changes."""
