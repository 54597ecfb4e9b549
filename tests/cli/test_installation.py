"""What is made on a first start, by whom, and what is said where something is missing or wrong."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.cli.command import COMMAND, Guestpass

from guestpass.settings import Settings
from guestpass.wiring import build_core, introduce, prepare

KEY = "an-example-key-that-is-long-enough-0123456789"
DATABASE = ("guestpass.db", "guestpass.db-next", "guestpass.db-turn")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def give_away(path: Path) -> str:
    """Make the path somebody else's, and return that user's name."""
    if os.geteuid() == 0:
        os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
        return "nobody"
    # Only root may give files away, but there are files of root's wherever this runs.
    elsewhere = "/usr" if path.is_dir() else "/etc/passwd"
    path.rmdir() if path.is_dir() else path.unlink()
    path.symlink_to(elsewhere)
    return "root"


def test_upgrade_makes_everything_for_its_user_alone(bare: Guestpass) -> None:
    # An inviting umask must not matter.
    before = os.umask(0o000)
    try:
        result = bare.succeed("db", "upgrade")
    finally:
        os.umask(before)
    assert str(bare.data_dir / "guestpass.db") in result.out
    assert mode_of(bare.data_dir) == 0o700
    files = {path.name: mode_of(path) for path in bare.data_dir.iterdir()}
    assert files == dict.fromkeys([*DATABASE, "jwt_secret", "secret_key"], 0o600)
    secrets = {(bare.data_dir / name).read_text().strip() for name in ("jwt_secret", "secret_key")}
    assert len(secrets) == 2
    assert all(len(secret) >= 32 for secret in secrets)


def test_upgrade_again_changes_no_key(installed: Guestpass) -> None:
    names = ("jwt_secret", "secret_key")
    before = [(installed.data_dir / name).read_bytes() for name in names]
    installed.succeed("db", "upgrade")
    assert [(installed.data_dir / name).read_bytes() for name in names] == before


def test_upgrades_at_once_agree_on_one_key(bare: Guestpass) -> None:
    processes = [
        subprocess.Popen([*COMMAND, "db", "upgrade"], env=bare.environ(), stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], errors
    assert {path.name for path in bare.data_dir.iterdir()} == {*DATABASE, "jwt_secret", "secret_key"}
    assert bare.succeed("env", "list", "--json").json["total"] == 0


def test_secrets_that_are_set_are_not_kept(bare: Guestpass) -> None:
    bare.succeed("db", "upgrade", GUESTPASS_JWT_SECRET=KEY, GUESTPASS_SECRET_KEY=KEY[::-1])
    assert {path.name for path in bare.data_dir.iterdir()} == set(DATABASE)


@pytest.mark.parametrize(
    "arguments", [("env", "list"), ("share", "list", "staging"), ("token",), ("token", "revoke", "0123abcd")]
)
def test_other_commands_make_nothing_and_say_where_they_looked(bare: Guestpass, arguments: tuple[str, ...]) -> None:
    text = bare.refuse(2, *arguments)
    assert f"GUESTPASS_DATA_DIR={bare.data_dir}" in text
    assert "does not exist" in text
    assert "guestpass serve" in text
    assert not bare.data_dir.exists()


@pytest.mark.parametrize("arguments", [("env", "list"), ("token",)])
def test_other_commands_say_whose_the_directory_is(bare: Guestpass, arguments: tuple[str, ...]) -> None:
    bare.data_dir.mkdir()
    owner = give_away(bare.data_dir)
    text = bare.refuse(2, *arguments)
    assert f"belongs to the user {owner}" in text
    assert f"sudo -u {owner}" in text


def test_a_first_start_in_somebody_elses_directory_makes_nothing(bare: Guestpass) -> None:
    bare.data_dir.mkdir()
    owner = give_away(bare.data_dir)
    assert f"belongs to the user {owner}" in bare.refuse(2, "db", "upgrade")
    assert not (bare.data_dir / "secret_key").exists()


# Becomes nobody only when everything is loaded: the interpreter may live where nobody else may look.
_AS_A_STRANGER = """
import os, pwd, sys
import guestpass.wiring
from guestpass.cli.commands import run
if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(pwd.getpwnam("nobody").pw_uid)
sys.exit(run(["env", "list"]))
"""


@pytest.mark.parametrize("configured", [False, True])
def test_somebody_else_hears_whose_the_directory_is(configured: bool, first_start: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="guestpass-") as folder:
        # Under a directory that everybody may enter, unlike pytest's own.
        Path(folder).chmod(0o755)
        data = Path(folder, "data")
        shutil.copytree(first_start, data)
        config = Path(folder, "guestpass.toml")
        config.touch()
        variables = {"GUESTPASS_CONFIG": str(config)} if configured else {}
        owner = pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() != 0:
            # Without the right to become another user, take this one's right to look.
            data.chmod(0)
        process = subprocess.run(
            [sys.executable, "-c", _AS_A_STRANGER],
            env=Guestpass(data).environ(**variables),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        data.chmod(0o700)
    assert (process.returncode, process.stdout) == (2, "")
    assert f"belongs to the user {owner}" in process.stderr or "can't look into" in process.stderr
    assert "run this as" in process.stderr
    assert process.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["jwt_secret", "secret_key"])
def test_a_key_that_others_may_read_is_refused(installed: Guestpass, name: str) -> None:
    file = installed.data_dir / name
    file.chmod(0o640)
    text = installed.refuse(2, "env", "list")
    assert "0640" in text
    assert f"chmod 600 {file}" in text
    file.chmod(0o600)
    installed.succeed("env", "list")


def test_a_key_of_somebody_else_is_refused(installed: Guestpass) -> None:
    owner = give_away(installed.data_dir / "secret_key")
    text = installed.refuse(2, "env", "list")
    assert f"belongs to the user {owner}" in text
    assert f"sudo -u {owner}" in text


def test_a_damaged_key_is_refused(installed: Guestpass) -> None:
    (installed.data_dir / "secret_key").write_text("short\n")
    text = installed.refuse(2, "env", "list")
    assert "damaged" in text
    assert "short" not in text


def test_another_key_is_refused_before_anything_is_done(installed: Guestpass) -> None:
    for arguments in (("env", "list"), ("db", "upgrade"), ("env", "add", "Staging", "http://127.0.0.1:1")):
        text = installed.refuse(2, *arguments, GUESTPASS_SECRET_KEY=KEY)
        assert text.startswith("guestpass: SECRET_KEY is not the one that this database was made with")
        assert "GUESTPASS_SECRET_KEY" in text
        assert KEY not in text
    assert installed.succeed("env", "list", "--json").json["total"] == 0


def test_a_database_of_something_else_is_refused(installed: Guestpass) -> None:
    (installed.data_dir / "guestpass.db").write_bytes(b"no database at all" * 100)
    assert str(installed.data_dir / "guestpass.db") in installed.refuse(2, "env", "list")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("absent/guestpass.db", "directory .*/absent for the database does not exist; create it first"),
        ("diary.txt", "file is not a database"),
        (".", "unable to open database file"),
        ("diary.txt/guestpass.db", "can't be created: Not a directory"),
    ],
)
def test_a_database_url_that_leads_nowhere_is_named(bare: Guestpass, tmp_path: Path, path: str, why: str) -> None:
    (tmp_path / "diary.txt").write_text("Dear diary, " * 100)
    text = bare.refuse(2, "db", "upgrade", GUESTPASS_DATABASE_URL=f"sqlite:///{tmp_path}/{path}")
    assert re.search(why, text)
    assert "GUESTPASS_DATABASE_URL names it; correct that" in text
    assert text.count("\n") == 1


def test_a_database_that_this_user_may_not_reach_is_named() -> None:
    with tempfile.TemporaryDirectory(prefix="guestpass-") as folder:
        Path(folder).chmod(0o755)
        closed, data = Path(folder, "closed"), Path(folder, "data")
        closed.mkdir(mode=0)
        data.mkdir()
        if os.geteuid() == 0:
            os.chown(data, pwd.getpwnam("nobody").pw_uid, -1)
        secrets = {"GUESTPASS_JWT_SECRET": KEY, "GUESTPASS_SECRET_KEY": KEY[::-1]}
        process = subprocess.run(
            [sys.executable, "-c", _AS_A_STRANGER.replace('["env", "list"]', '["db", "upgrade"]')],
            env=Guestpass(data).environ(GUESTPASS_DATABASE_URL=f"sqlite:///{closed}/guestpass.db", **secrets),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (process.returncode, process.stdout) == (2, "")
    assert "can't be created: Permission denied. GUESTPASS_DATABASE_URL names it" in process.stderr
    assert process.stderr.count("\n") == 1


def test_a_wrong_setting_is_one_sentence_and_status_2(bare: Guestpass) -> None:
    text = bare.refuse(2, "env", "list", GUESTPASS_LISTEN="8080")
    assert text.startswith("guestpass: GUESTPASS_LISTEN must be ")
    assert text.count("\n") == 1
    text = bare.refuse(2, "env", "list", GUESTPASS_SECRET_KEY="hunter2")
    assert text.startswith("guestpass: GUESTPASS_SECRET_KEY must have at least 32 characters")
    assert "hunter2" not in text
    text = bare.refuse(2, "env", "list", GUESTPASS_PUBLICURL="https://share.example.com")
    assert "GUESTPASS_PUBLICURL is not a setting; did you mean GUESTPASS_PUBLIC_URL?" in text


async def test_commands_use_the_addresses_of_the_server_beside_them(bare: Guestpass) -> None:
    settings = Settings(data_dir=bare.data_dir, public_url="https://share.example.com", link_domain="links.example.net")
    await serve_once(settings)
    bare.succeed("env", "add", "Staging", "http://127.0.0.1:1")
    link = bare.succeed("share", "create", "staging", "--json").json
    assert link["url"].startswith("https://share.example.com/share/gp_")
    # What is set for the command itself comes first.
    ours = bare.succeed("share", "show", link["id"], "--json", GUESTPASS_PUBLIC_URL="http://10.9.8.7").json
    assert ours["url"].startswith("http://10.9.8.7/share/gp_")
    # A later start without LINK_DOMAIN is heard too.
    await serve_once(Settings(data_dir=bare.data_dir, public_url="https://share.example.org"))
    later = bare.succeed("share", "show", link["id"], "--json").json
    assert later["url"].startswith("https://share.example.org/share/gp_")


async def serve_once(settings: Settings) -> None:
    """What a server does to the database at its start."""

    class Unheard:
        async def announce(self) -> None: ...

    prepare(settings)
    core = build_core(settings, Unheard())
    try:
        await introduce(core)
    finally:
        await core.close()


def test_settings_are_listed_with_their_source_and_without_secrets(bare: Guestpass) -> None:
    file = bare.data_dir.parent / "guestpass.toml"
    file.write_text(f'admin_listen = "127.0.0.1:9001"\njwt_secret = "{KEY}"\n')
    result = bare.succeed(
        "settings", "--json", GUESTPASS_CONFIG=str(file), GUESTPASS_LISTEN="127.0.0.1:9000", GUESTPASS_SECRET_KEY=KEY
    )
    assert KEY not in result.out + result.err
    assert result.json["file"] == str(file)
    lines = {line["name"]: (line["value"], line["source"]) for line in result.json["settings"]}
    assert lines["GUESTPASS_LISTEN"] == ("127.0.0.1:9000", "environment")
    assert lines["GUESTPASS_ADMIN_LISTEN"] == ("127.0.0.1:9001", "file")
    assert lines["GUESTPASS_PUBLIC_URL"] == ("http://127.0.0.1:9000", "default")
    assert lines["GUESTPASS_JWT_SECRET"] == ("(hidden)", "file")
    assert lines["GUESTPASS_SECRET_KEY"] == ("(hidden)", "environment")
    assert all(line["help"] for line in result.json["settings"])


def test_settings_are_a_table_for_people(bare: Guestpass) -> None:
    out = bare.succeed("settings", GUESTPASS_ADMIN_LISTEN="127.0.0.1:9001").out
    for name in ("DATA_DIR", "LISTEN", "PUBLIC_URL", "LINK_DOMAIN", "UPSTREAM_DENY", "LOG_FORMAT"):
        assert f"\nGUESTPASS_{name} " in out
    assert re.search(r"GUESTPASS_ADMIN_LISTEN +127\.0\.0\.1:9001 +environment +The listener for owners", out)


def test_who_mistypes_a_setting_is_shown_those_that_there_are(bare: Guestpass) -> None:
    result = bare.run("settings", GUESTPASS_FOO="1", GUESTPASS_DRAIN="soon")
    assert result.status == 2
    assert re.search(r"^GUESTPASS_DRAIN +30s +How long a worker", result.out, re.MULTILINE)
    assert result.err.splitlines() == [
        "guestpass: GUESTPASS_FOO is not a setting; `guestpass settings` lists those that there are.",
        "guestpass: GUESTPASS_DRAIN must be a duration such as 24h, 7d or 1h30m.",
    ]


def test_settings_work_before_anything_was_made(bare: Guestpass) -> None:
    bare.succeed("settings")
    assert not bare.data_dir.exists()


def test_version(bare: Guestpass) -> None:
    assert bare.succeed("--version").out.startswith("guestpass 0.")


@pytest.mark.parametrize("arguments", [(), ("env",), ("share",), ("db",)])
def test_without_a_command_there_is_help(bare: Guestpass, arguments: tuple[str, ...]) -> None:
    assert bare.refuse(2, *arguments).startswith(f"Usage: {' '.join(('guestpass', *arguments))} ")


def test_a_wrong_argument_is_one_sentence(bare: Guestpass) -> None:
    assert bare.refuse(2, "share", "creat", "x") == "guestpass: No such command 'creat'. Did you mean 'create'?\n"
    assert bare.refuse(2, "env", "list", "--jsn").count("\n") == 1
    assert "UTF-8" in bare.refuse(2, "env", "show", "\udcff")
