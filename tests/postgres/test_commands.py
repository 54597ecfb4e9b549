"""The command line with a PostgreSQL database."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.cli.command import Guestpass
from tests.postgres.cluster import PASSWORD, Cluster
from tests.postgres.databases import Databases

from guestpass.storage import migrate
from guestpass.storage.location import DatabaseUnusable

KEYS = {"GUESTPASS_JWT_SECRET": "j" * 40, "GUESTPASS_SECRET_KEY": "s" * 40}


@pytest.fixture
def cluster(postgres_databases: Databases) -> Cluster:
    return postgres_databases.cluster


@pytest.fixture
def alone(tmp_path: Path) -> Guestpass:
    """An installation on SQLite with one link."""
    command = Guestpass(tmp_path / "alone")
    command.succeed("db", "upgrade")
    command.succeed("env", "add", "Harbour", "http://127.0.0.1:1", "--kind", "web")
    command.succeed("share", "create", "harbour", "--label", "For a client")
    return command


def test_keys_must_be_set_and_are_not_made(tmp_path: Path, postgres_url: str) -> None:
    command = Guestpass(tmp_path / "data", {"GUESTPASS_DATABASE_URL": postgres_url})
    for said in (command.refuse(2, "serve"), command.refuse(2, "db", "upgrade", GUESTPASS_SECRET_KEY="s" * 40)):
        assert "GUESTPASS_JWT_SECRET and GUESTPASS_SECRET_KEY must be set" in said
    assert list(tmp_path.rglob("*_key")) == []


def test_two_machines_need_the_same_key(tmp_path: Path, postgres_url: str) -> None:
    one = Guestpass(tmp_path / "one", {"GUESTPASS_DATABASE_URL": postgres_url, **KEYS})
    one.succeed("db", "upgrade")
    two = Guestpass(tmp_path / "two", {**one.variables, "GUESTPASS_SECRET_KEY": "another key of another machine, alas"})
    assert "SECRET_KEY is not the one" in two.refuse(2, "env", "list")
    two.succeed("env", "list", GUESTPASS_SECRET_KEY=KEYS["GUESTPASS_SECRET_KEY"])


def test_what_is_wrong_with_the_database_is_one_sentence_without_its_password(
    tmp_path: Path, cluster: Cluster, postgres_database: str
) -> None:
    right = cluster.url(postgres_database)
    wrong = right.replace("%2541@", "%2542@")
    text = Guestpass(tmp_path / "data", {"GUESTPASS_DATABASE_URL": wrong, **KEYS}).refuse(2, "db", "upgrade")
    assert "password authentication failed" in text
    assert text.count("\n") == 1
    assert "r0cks" not in text
    for url, said in (
        (right.replace(str(cluster.port), "1"), "refused"),
        (cluster.url("absent"), 'database "absent" does not exist'),
        (f"{right}?sslmode=require", "does not support SSL"),
        (f"{right}?nonsense=1", "nonsense"),
    ):
        with pytest.raises(DatabaseUnusable, match=said) as caught:
            migrate.upgrade(url)
        assert "\n" not in str(caught.value)
        assert "r0cks" not in str(caught.value)


def test_a_database_is_copied_and_served_from_there(alone: Guestpass, tmp_path: Path, cluster: Cluster) -> None:
    cluster.create("copied")
    url = cluster.url("copied")
    said = alone.succeed("db", "copy", "--to", url, "--json")
    assert said.json["rows"]["links"] == 1
    assert PASSWORD not in f"{said.out}{said.err}"
    assert url not in f"{said.out}{said.err}"
    keys = {
        f"GUESTPASS_{name.upper()}": (alone.data_dir / name).read_text().strip()
        for name in ("jwt_secret", "secret_key")
    }
    machine = Guestpass(tmp_path / "machine", {"GUESTPASS_DATABASE_URL": url, **keys})
    assert machine.succeed("share", "list", "--json").json == alone.succeed("share", "list", "--json").json
    # A second time there is something in the way.
    assert "is not empty" in alone.refuse(2, "db", "copy", "--to", url)
    cluster.drop("copied")


def test_a_copy_says_what_to_do_next(alone: Guestpass, postgres_url: str) -> None:
    said = alone.succeed("db", "copy", "--to", postgres_url)
    assert re.search(r"^links +1 *$", said.out, re.MULTILINE)
    for word in ("GUESTPASS_DATABASE_URL", "GUESTPASS_SECRET_KEY", str(alone.data_dir / "secret_key")):
        assert word in said.err
    assert (alone.data_dir / "secret_key").read_text().strip() not in f"{said.out}{said.err}"
    assert "--to" in alone.refuse(2, "db", "copy", "--to", "mysql://db/share")
