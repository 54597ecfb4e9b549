"""What a view-only link may never call."""

from __future__ import annotations

from typing import Final

WRITE_METHODS: Final = frozenset(
    {
        "action_archive",
        "action_unarchive",
        "copy",
        "copy_multi",
        "create",
        "load",
        "name_create",
        "toggle_active",
        "unlink",
        "update_field_translations",
        "web_create_users",
        "web_override_translations",
        "web_resequence",
        "web_save",
        "web_save_multi",
        "web_update_field_translations",
        "write",
    }
)
"""Methods of every model that write: refused by name, also where an environment's `readOnlyAllow` names them."""
