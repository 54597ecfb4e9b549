"""Create DATA_DIR and its two secrets, read them, and check their ownership and modes."""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from guestpass.domain.errors import GuestpassError
from guestpass.settings import SECRETS, Settings, variable
from guestpass.system import as_user, user_name

_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600


class DataDirectoryUnusable(GuestpassError):
    """DATA_DIR or a key in it can't be used; the text names path, owner and remedy."""


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """The two secrets of an installation, from the settings or from DATA_DIR."""

    jwt_secret: str
    secret_key: str


def read_secrets(settings: Settings) -> Secrets:
    """Read both secrets; raises DataDirectoryUnusable where one is missing or readable by others."""
    return Secrets(read_secret(settings, "jwt_secret"), read_secret(settings, "secret_key"))


def read_secret(settings: Settings, name: str) -> str:
    """One of the secrets by its attribute name; raises as `read_secrets` does."""
    given = getattr(settings, name)
    if given is not None:
        return str(given.get_secret_value())
    _require_given(settings)
    file = settings.secret_file(name)
    try:
        return _read_private(file)
    except FileNotFoundError:
        raise DataDirectoryUnusable(
            f"There is no key yet: {variable(name)} is not set and there is no file {file}. "
            f"`guestpass serve` or `guestpass db upgrade` makes it. {whereabouts(settings)}"
        ) from None
    except PermissionError:
        raise DataDirectoryUnusable(f"The key {file} can't be read. {whereabouts(settings)}") from None


def make_secrets(settings: Settings) -> None:
    """Make DATA_DIR (mode 0700) and each secret that is neither set nor kept yet (mode 0600); others stay as they are.

    Several processes may do so at once: one of them makes the secret and all of them use that one. None is made for a
    database that other machines may use; raises DataDirectoryUnusable where it is not set then.
    """
    _require_given(settings)
    _make_directory(settings)
    for name in ("jwt_secret", "secret_key"):
        if getattr(settings, name) is None:
            file = settings.secret_file(name)
            try:
                _create_private(file, secrets.token_urlsafe(48))
            except OSError as error:
                raise DataDirectoryUnusable(
                    f"The key {file} can't be made: {error.strerror}. {whereabouts(settings)}"
                ) from None
            read_secret(settings, name)


def _require_given(settings: Settings) -> None:
    """Raise unless both secrets are set, where other machines may use the same database."""
    if settings.uses_postgresql and any(getattr(settings, name) is None for name in SECRETS):
        names = " and ".join(variable(name) for name in SECRETS)
        raise DataDirectoryUnusable(
            f"{names} must be set with a PostgreSQL database, to the same on every machine: with keys of its own a "
            "machine could open no link of the others. Make each with: openssl rand -base64 48"
        )


def whereabouts(settings: Settings) -> str:
    """Return the end of a message about a missing file: the directory, its owner, and the present user."""
    directory, user = settings.data_dir, user_name(os.geteuid())
    looked = f"Looked in {variable('data_dir')}={directory}"
    try:
        owner = user_name(directory.stat().st_uid)
    except FileNotFoundError:
        return f"{looked}, which does not exist; set it to the server's if that is elsewhere, or run this as its user."
    except OSError:
        return f"{looked}, which the user {user} can't look into; run this as the user that the server runs as."
    if owner == user:
        return f"{looked}, which belongs to the user {owner}; set it to the server's if that is elsewhere."
    return f"{looked}, which belongs to the user {owner}; run this as that user: {as_user(owner)}."


def _make_directory(settings: Settings) -> None:
    directory = settings.data_dir
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)
        owner = directory.stat().st_uid
    except OSError as error:
        raise DataDirectoryUnusable(
            f"{variable('data_dir')}: the directory {directory} can't be made: {error.strerror}; "
            "make it for this user, or name another."
        ) from None
    # Root could write here, but the server could not read files that root owns.
    if os.geteuid() == 0 and owner != 0:
        raise DataDirectoryUnusable(
            f"{variable('data_dir')}: {directory} belongs to the user {user_name(owner)}; run this as that user: "
            f"{as_user(user_name(owner))}."
        )


def _create_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read; does nothing when it exists.

    It is written under another name and then linked, so that no reader sees half a key.
    """
    if file.exists():
        return
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, _FILE_MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(f"{text}\n")
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            return
        directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    finally:
        draft.unlink()


def _read_private(file: Path) -> str:
    """Read a key file; raises DataDirectoryUnusable unless it is owned by this user and readable by them alone."""
    with file.open(encoding="ascii") as opened:
        status = os.fstat(opened.fileno())
        if status.st_uid != os.geteuid():
            owner = user_name(status.st_uid)
            raise DataDirectoryUnusable(
                f"The key {file} belongs to the user {owner}, and this is {user_name(os.geteuid())}; "
                f"run this as that user: {as_user(owner)}."
            )
        mode = stat.S_IMODE(status.st_mode)
        if mode & 0o077:
            raise DataDirectoryUnusable(
                f"The key {file} has mode {mode:04o}, so that others may read it; make it private: chmod 600 {file}"
            )
        try:
            text = opened.read().strip()
        except UnicodeDecodeError:
            text = ""
    if len(text) < 32:
        raise DataDirectoryUnusable(f"The key {file} is damaged: it must hold at least 32 characters; restore a copy.")
    return text
