"""Read the settings from the environment and the TOML file, and record the source of each."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource

from guestpass.domain.durations import format_duration
from guestpass.settings.model import PREFIX, SECRETS, Settings, SettingsError, Shown, default_data_dir
from guestpass.settings.parsers import parse_data_dir, without_passwords
from guestpass.system import as_user, user_name

CONFIG_VARIABLE = f"{PREFIX}CONFIG"
CONFIG_HELP = (
    "The TOML file to read settings from. Where unset, /etc/guestpass/guestpass.toml is read if it exists, "
    "else guestpass.toml in DATA_DIR."
)
REMOTE_VARIABLES = (f"{PREFIX}URL", f"{PREFIX}TOKEN")
"""Which server commands work on, and with which bearer token; they are no settings of a server."""
SYSTEM_FILE = Path("/etc/guestpass/guestpass.toml")
FILE_NAME = "guestpass.toml"

# Kubernetes puts the address of each Service into every container of the namespace; for one that is called
# guestpass those variables begin with our prefix.
_KUBERNETES_VARIABLE = re.compile(
    r"GUESTPASS_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)", re.ASCII
)
_KUBERNETES_PORT = re.compile(r"GUESTPASS_(\w+_)?PORT", re.ASCII)


class Source(StrEnum):
    """Where a setting's value is from."""

    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, where each is from (by attribute name), and the file that was read, if any."""

    settings: Settings
    sources: Mapping[str, Source]
    file: Path | None


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One setting for people: `value` is hidden for secrets, `default` is the one that the documentation names."""

    name: str
    value: str
    source: Source
    default: str
    help: str


def variable(name: str) -> str:
    """The environment variable of an attribute of Settings (``data_dir`` -> ``GUESTPASS_DATA_DIR``)."""
    return f"{PREFIX}{name.upper()}"


def load(environ: Mapping[str, str] | None = None, *, system_file: Path = SYSTEM_FILE) -> LoadedSettings:
    """Read the settings; an empty variable counts as not set. Raises SettingsError with every problem found."""
    # Blank variables are what `${NAME:-}` in a compose file leaves behind.
    given = {
        name: value
        for name, value in (os.environ if environ is None else environ).items()
        if name.startswith(PREFIX) and value.strip()
    }
    problems = _unknown_variables(given)
    from_environment = _read_environment(given)
    file = _configuration_file(given.get(CONFIG_VARIABLE), from_environment.get("data_dir"), system_file)
    from_file = {} if file is None else _read_file(file)
    problems += _unknown_keys(from_file, file)
    known = {name: value for name, value in from_file.items() if name in Settings.model_fields}
    if file is not None and CONFIG_VARIABLE not in given and file != system_file and "data_dir" in known:
        problems.append(f"data_dir can't be set in {file}, which was found by it; set {PREFIX}DATA_DIR instead.")
    sources = {
        name: Source.ENVIRONMENT if name in from_environment else Source.FILE if name in known else Source.DEFAULT
        for name in Settings.model_fields
    }
    try:
        settings = Settings(**(known | from_environment))
    except ValidationError as error:
        raise SettingsError(*problems, *_problems(error, sources, file)) from None
    if problems:
        raise SettingsError(*problems)
    return LoadedSettings(settings, sources, file)


def describe(loaded: LoadedSettings) -> list[SettingLine]:
    """Every setting in order, as `guestpass settings` and the documentation show it."""
    return [
        SettingLine(
            name=variable(name),
            value=_value_for_people(loaded.settings, name) or _kept(loaded.settings, name),
            source=loaded.sources[name],
            default=_default_for_people(name),
            help=field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]


def describe_defaults() -> list[tuple[str, str, str]]:
    """Name, default and purpose of every setting in order, for errors about one of them."""
    return [
        (variable(name), _default_for_people(name).replace("`", ""), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def _default_for_people(name: str) -> str:
    field = Settings.model_fields[name]
    shown = next((item.default for item in field.metadata if isinstance(item, Shown)), None)
    return shown if shown is not None else f"`{_for_people(field.default)}`" if field.default != () else "empty"


def _value_for_people(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    return without_passwords(value) if name == "database_url" else _for_people(value)


def _kept(settings: Settings, name: str) -> str:
    if name not in SECRETS:
        return ""
    return "(must be set)" if settings.uses_postgresql else f"(kept in {settings.secret_file(name)})"


def _for_people(value: object) -> str:
    match value:
        case None | ():
            return ""
        case SecretStr():
            return "(hidden)"
        case bool():
            return str(value).lower()
        case timedelta():
            return format_duration(value)
        case tuple():
            return ", ".join(str(item) for item in value)
        case _:
            return str(value)


def _read_environment(given: Mapping[str, str]) -> dict[str, Any]:
    class Variables(EnvSettingsSource):
        """The variables that were passed in, instead of the process's own."""

        def _load_env_vars(self) -> Mapping[str, str | None]:
            return {name.lower(): value for name, value in given.items()}

    return Variables(Settings, env_prefix=PREFIX)()


def _configuration_file(named: str | None, data_dir: object, system_file: Path) -> Path | None:
    if named is not None:
        file = Path(named).expanduser()
        if not _exists(file):
            raise SettingsError(f"{CONFIG_VARIABLE} names {file}, which does not exist; correct it or unset it.")
        return file
    candidates = [system_file]
    # Validation reports a wrong DATA_DIR by its name.
    with contextlib.suppress(ValueError):
        candidates.append((parse_data_dir(data_dir) if data_dir is not None else default_data_dir()) / FILE_NAME)
    return next((file for file in candidates if _exists(file)), None)


def _exists(file: Path) -> bool:
    try:
        return file.is_file()
    except PermissionError:
        # Passing over it would go on with other settings than the server's.
        text = f"There may be settings in {file}, but the user {user_name(os.geteuid())} can't look into that directory"
    try:
        owner = user_name(file.parent.stat().st_uid)
    except OSError:
        raise SettingsError(f"{text}; run this as the user that the server runs as.") from None
    raise SettingsError(f"{text}, which belongs to the user {owner}; run this as that user: {as_user(owner)}.")


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return dict(TomlConfigSettingsSource(Settings, file).toml_data)
    except OSError as error:
        raise SettingsError(
            f"{CONFIG_VARIABLE}: {file} can't be read ({error.strerror}); make it readable for this user."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{CONFIG_VARIABLE}: {file} is not valid TOML: {error}.") from None


def _unknown_variables(given: Mapping[str, str]) -> list[str]:
    known = [CONFIG_VARIABLE, *REMOTE_VARIABLES, *(variable(name) for name in Settings.model_fields)]
    return [
        f"{name} is not a setting{_nearest(name, known)}"
        for name, value in given.items()
        if name not in known
        and not _KUBERNETES_VARIABLE.fullmatch(name)
        and not (_KUBERNETES_PORT.fullmatch(name) and re.match(r"(tcp|udp|sctp)://", value))
    ]


def _unknown_keys(from_file: Mapping[str, object], file: Path | None) -> list[str]:
    known = list(Settings.model_fields)
    return [
        f"{name} in {file} is not a setting{_nearest(name, known)}"
        for name in from_file
        if name not in Settings.model_fields
    ]


def _nearest(name: str, known: list[str]) -> str:
    """The end of a sentence about an unknown name. The prefix is left out: all names would resemble each other."""
    plain = {item.removeprefix(PREFIX).lower(): item for item in known}
    nearest = difflib.get_close_matches(name.upper().removeprefix(PREFIX).lower(), plain, n=1)
    return f"; did you mean {plain[nearest[0]]}?" if nearest else "; `guestpass settings` lists those that there are."


def _problems(error: ValidationError, sources: Mapping[str, Source], file: Path | None) -> list[str]:
    """One line for each wrong setting. Never with a value that pydantic quotes: it could be a secret."""
    lines = []
    for finding in error.errors(include_url=False, include_input=False):
        # A default that is derived from a wrong setting is no finding of its own.
        if finding["type"] == "default_factory_not_called":
            continue
        name = str(finding["loc"][0])
        reason = str(finding["ctx"]["error"]) if finding["type"] == "value_error" else finding["msg"]
        where = f" (in {file})" if sources[name] is Source.FILE else ""
        lines.append(f"{variable(name)}{where} {reason}.")
    return lines
