"""Every setting: its name, what it is for, its default and what it must look like.

Settings are read once, by `load`, and passed down. A variable ``GUESTPASS_<NAME>`` comes before the TOML
file, the file before the default.
"""

from guestpass.listeners import Listen
from guestpass.settings.loading import (
    CONFIG_HELP,
    CONFIG_VARIABLE,
    REMOTE_VARIABLES,
    LoadedSettings,
    SettingLine,
    Source,
    describe,
    describe_defaults,
    load,
    variable,
)
from guestpass.settings.model import DEFAULT_DENY, PREFIX, SECRETS, Settings, SettingsError
from guestpass.settings.parsers import MAX_WORKERS, LogFormat, Network, parse_database_url, without_passwords

__all__ = [
    "CONFIG_HELP",
    "CONFIG_VARIABLE",
    "DEFAULT_DENY",
    "MAX_WORKERS",
    "PREFIX",
    "REMOTE_VARIABLES",
    "SECRETS",
    "Listen",
    "LoadedSettings",
    "LogFormat",
    "Network",
    "SettingLine",
    "Settings",
    "SettingsError",
    "Source",
    "describe",
    "describe_defaults",
    "load",
    "parse_database_url",
    "variable",
    "without_passwords",
]
