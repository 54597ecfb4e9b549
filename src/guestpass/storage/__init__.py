"""Where things are kept: tables, repositories, migrations, and the feed of changes. Rows never leave this room."""
