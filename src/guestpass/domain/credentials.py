"""Models and methods of Odoo that let somebody in, or change who gets in."""

from __future__ import annotations

import re
from typing import Final

CREDENTIAL_MODELS: Final = re.compile(
    r"res\.users\.(?:apikeys|identitycheck|deletion).*|res\.device.*|change\.password\..*|auth_totp\..*|"
    r"auth\.passkey\..*|reset\.password.*|portal\.wizard.*"
)
"""Models that hold what lets somebody in, or make it."""
CREDENTIAL_METHODS: Final = frozenset(
    {
        "action_reset_password",
        "action_revoke_all_devices",
        # Contacts that become one, without saying which.
        "action_start_automatic_process",
        "action_update_all_process",
        "action_signup_prepare",
        "action_totp_disable",
        "action_totp_enable_wizard",
        "action_totp_invite",
        "api_key_wizard",
        "auth_oauth",
        "authenticate",
        "automatic_process_cb",
        "change_password",
        # As if a mail had come: from anybody, with any values.
        "message_new",
        "message_process",
        "message_route",
        "message_update",
        "parent_migration_process_cb",
        "preference_change_password",
        "reset_password",
        "revoke_all_devices",
        "signup",
        "signup_cancel",
        "signup_get_auth_param",
        "signup_prepare",
        "totp_disable",
        "web_create_users",
    }
)
"""Methods, of whatever model, that use, change or make such a thing, or make somebody another person."""
