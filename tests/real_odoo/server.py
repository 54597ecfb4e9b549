"""Make and run a real Odoo from a source tree, with two workers, demo data and a PostgreSQL cluster of its own."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from tests.install_applications import PACKAGES, install_environment, install_packages
from tests.ports import reserved_ports
from tests.postgres.cluster import USER, Cluster, as_own_user

ROOT: Final = Path(__file__).parents[2]
HOME: Final = Path(os.environ.get("GUESTPASS_ODOO_HOME") or ROOT / "build" / "odoo")
"""Where everything is kept: the environment, the cluster, databases' files and instances."""

MODULES: Final = (
    "web,mail,bus,contacts,crm,sale_management,website,portal,project,website_sale,website_crm,calendar,"
    "spreadsheet_dashboard"
)
_REQUIREMENTS: Final = ROOT / "requirements" / "odoo.txt"
_READY_WITHIN: Final = 300.0
_STOPPED_WITHIN: Final = 60.0
# Odoo 16 looks for the names of safe tags where lxml had them before its cleaner became a package of its own.
_LAUNCHER: Final = """\
import lxml.html.clean
import lxml.html.defs

lxml.html.clean.defs = lxml.html.defs
import odoo.cli

if __name__ == "__main__":
    odoo.cli.main()
"""

# Each row that a statement adds, changes or removes, whoever makes it. `values` are those of the row that are new, or
# other ones than before; of a removed row they are what it had.
_CHANGES: Final = """
CREATE SCHEMA guestpass;
CREATE UNLOGGED TABLE guestpass.changes (
    n bigserial PRIMARY KEY, relation text NOT NULL, kind text NOT NULL, id bigint, values jsonb NOT NULL
);
CREATE FUNCTION guestpass.note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{}' ELSE to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
    moved jsonb;
BEGIN
    SELECT coalesce(jsonb_object_agg(key, value), '{}') INTO moved FROM jsonb_each(after)
    WHERE TG_OP = 'DELETE' OR before -> key IS DISTINCT FROM value;
    INSERT INTO guestpass.changes (relation, kind, id, values)
    VALUES (TG_TABLE_NAME, lower(TG_OP), (after ->> 'id')::bigint, moved);
    RETURN NULL;
END $$;
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('CREATE TRIGGER guestpass AFTER INSERT OR UPDATE OR DELETE ON public.%I '
                       'FOR EACH ROW EXECUTE FUNCTION guestpass.note()', name);
    END LOOP;
END $$;
"""


class OdooError(Exception):
    """Something that the person who runs this can mend; its text says how."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One running Odoo: its server process, its ports and its database."""

    version: str
    name: str
    database: str
    port: int
    gevent_port: int
    pid: int

    @property
    def major(self) -> int:
        """18 of "18.0"."""
        return int(self.version.partition(".")[0])

    @property
    def url(self) -> str:
        """Where its workers answer."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        """Where its bus answers."""
        return f"http://127.0.0.1:{self.gevent_port}"

    @property
    def folder(self) -> Path:
        """Its files: `odoo.log`, and `data` with the sessions and the filestore."""
        return HOME / "instances" / self.database

    @property
    def is_running(self) -> bool:
        """Whether its server process lives, and is no other process of the same number."""
        try:
            command = Path(f"/proc/{self.pid}/cmdline").read_bytes()
        except OSError:
            return False
        return str(self.folder / "odoo.conf").encode() in command.split(b"\0")


def version_of(source: Path) -> str:
    """The version of a source tree, such as 18.0; raises OdooError where it is none."""
    try:
        tree = ast.parse((source / "odoo" / "release.py").read_text(encoding="utf-8"))
    except OSError as error:
        raise OdooError(f"{source} is no source tree of Odoo: it has no odoo/release.py.") from error
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="version_info")], value=ast.Tuple(elts=[major, minor, *_])):
                numbers = [each.value if isinstance(each, ast.Constant) else None for each in (major, minor)]
                if isinstance(numbers[0], int):
                    return f"{numbers[0]}.{numbers[1]!r}"
    raise OdooError(f"{source}/odoo/release.py names no version_info with a number.")


def cluster() -> Cluster:
    """The cluster that all versions share, running."""
    folder = HOME / "postgres"
    kept = folder / "port"
    if not kept.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _own(folder)
        with reserved_ports(1) as [port]:
            made = Cluster(folder, port)
            made.make()
        kept.write_text(str(port))
    found = Cluster(folder, int(kept.read_text()), settings={"synchronous_commit": "off", "max_connections": "400"})
    try:
        found.connect().close()
    except psycopg.OperationalError:
        found.start()
    return found


def stop_cluster() -> None:
    """End the cluster, where it runs."""
    pid = HOME / "postgres" / "data" / "postmaster.pid"
    if pid.exists():
        number = int(pid.read_text().splitlines()[0])
        os.kill(number, signal.SIGINT)
        _wait_for(lambda: not pid.exists(), _STOPPED_WITHIN, "PostgreSQL did not stop")


def make(source: Path) -> str:
    """Make the environment and the template database of a tree's version, unless they are there; return the version."""
    version, source = version_of(source), source.resolve()
    folder = HOME / version
    folder.mkdir(parents=True, exist_ok=True)
    _readable(source)
    if PACKAGES["postgresql"] is None and not install_packages(["postgresql"]):
        raise OdooError("PostgreSQL is missing.")
    install_environment(HOME / "environment", _REQUIREMENTS, _python())
    (folder / "source").write_text(str(source))
    (folder / "odoo-bin").write_text(_LAUNCHER)
    if (folder / "made").exists():
        return version
    template, server = template_of(version), cluster()
    server.drop(template)
    server.create(template)
    prepared = Instance(version, "template", template, 0, 0, 0)
    shutil.rmtree(prepared.folder, ignore_errors=True)
    demo = ["--with-demo"] if int(version.split(".", maxsplit=1)[0]) >= 19 else ["--without-demo="]
    _say(f"making a database of {version} with demo data, which takes some minutes: {prepared.folder}/odoo.log")
    _configure(prepared)
    done = _launch(prepared, ["-i", MODULES, *demo, "--stop-after-init", "--no-http", "--workers=0"]).wait()
    if done != 0:
        raise OdooError(f"Odoo did not install its modules; see {prepared.folder / 'odoo.log'}.")
    finish_template(version)
    return version


def finish_template(version: str) -> None:
    """Have a database that was just made build its bundles, note changes from now on, and serve as a template."""
    template = template_of(version)
    running = _run(Instance(version, "template", template, 0, 0, 0))
    for path in ("/", "/web/login", "/shop"):
        _fetch(running.url + path)
    stop(running)
    server = cluster()
    with server.connect(template) as connection:
        connection.execute("DROP SCHEMA IF EXISTS guestpass CASCADE")
        connection.execute(_CHANGES)
    (HOME / version / "made").touch()


def template_of(version: str) -> str:
    """The name of the database that instances of a version are copies of."""
    return f"odoo{version.split('.', maxsplit=1)[0]}_template"


def start(version: str, name: str, *, fresh: bool = False) -> Instance:
    """Run an instance of a version that was made: on its database as it is, or on a copy of the template."""
    if not (HOME / version / "made").exists():
        raise OdooError(f"There is no {version} yet. Make it: scripts/odoo make SOURCE")
    database = f"odoo{version.split('.', maxsplit=1)[0]}_{name}"
    known = {each.database: each for each in instances()}
    found = known.get(database)
    if found is not None and found.is_running:
        if not fresh:
            return found
        stop(found)
    server, empty = cluster(), Instance(version, name, database, 0, 0, 0)
    if fresh or not _exists(server, database):
        server.drop(database)
        server.create(database, template=template_of(version))
        shutil.rmtree(empty.folder, ignore_errors=True)
        copied = HOME / "instances" / template_of(version) / "data" / "filestore" / template_of(version)
        # Odoo never changes a file of its store: it writes another one.
        shutil.copytree(copied, empty.folder / "data" / "filestore" / database, copy_function=os.link)
    return _run(empty)


def stop(instance: Instance, *, forget: bool = False) -> None:
    """End an instance; with `forget` its database and files are removed."""
    if instance.is_running:
        os.kill(instance.pid, signal.SIGTERM)
        try:
            _wait_for(lambda: not instance.is_running, _STOPPED_WITHIN, "")
        except OdooError:
            os.killpg(instance.pid, signal.SIGKILL)
            _wait_for(lambda: not instance.is_running, _STOPPED_WITHIN, f"process {instance.pid} does not end")
    if forget:
        cluster().drop(instance.database)
        shutil.rmtree(instance.folder, ignore_errors=True)


def instances() -> list[Instance]:
    """Those that were started, whether they run or not, but for the templates."""
    found = [Instance(**json.loads(file.read_text())) for file in sorted((HOME / "instances").glob("*/instance.json"))]
    return [each for each in found if each.name != "template"]


def find(version: str, name: str) -> Instance:
    """The instance of a version by its name; raises OdooError where there is none."""
    for each in instances():
        if (each.version, each.name) == (version, name):
            return each
    raise OdooError(f"There is no instance {name} of {version}. Start one: scripts/odoo start {version} --name {name}")


def query(instance: Instance, statement: str) -> list[tuple[object, ...]]:
    """Run SQL in an instance's database and return its rows."""
    with cluster().connect(instance.database) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description is not None else []


def _run(instance: Instance) -> Instance:
    with reserved_ports(2) as [port, gevent_port]:
        running = Instance(**{**asdict(instance), "port": port, "gevent_port": gevent_port})
        _configure(running)
        process = _launch(running, [])
        running = Instance(**{**asdict(running), "pid": process.pid})
        (running.folder / "instance.json").write_text(json.dumps(asdict(running)))
        log = running.folder / "odoo.log"
        for url in (f"{running.url}/web/health", f"{running.websocket_url}/websocket/health"):
            _wait_for(lambda: process.poll() is not None or _answers(url), _READY_WITHIN, f"see {log}")  # noqa: B023
        if process.poll() is not None:
            raise OdooError(f"Odoo ended at once; see {log}.")
    return running


def _configure(instance: Instance) -> None:
    version, folder, server = instance.version, instance.folder, cluster()
    source = Path((HOME / version / "source").read_text())
    (folder / "data").mkdir(parents=True, exist_ok=True)
    addons = [str(each) for each in (source / "addons", source / "odoo" / "addons") if each.is_dir()]
    options = {
        "addons_path": ",".join(addons),
        "data_dir": folder / "data",
        "db_host": server.folder,
        "db_port": server.port,
        "db_user": USER,
        "db_name": instance.database,
        "dbfilter": f"^{instance.database}$",
        "http_interface": "127.0.0.1",
        # A database that is being made takes the port for its own address, and nothing listens there.
        "http_port": instance.port or 8069,
        "gevent_port": instance.gevent_port or 8072,
        "longpolling_port": instance.gevent_port or 8072,
        "workers": 2,
        # Nothing writes but whoever asks.
        "max_cron_threads": 0,
        "proxy_mode": True,
        # The machine may be busy; what takes long is no failure.
        "limit_time_cpu": 600,
        "limit_time_real": 1200,
    }
    lines = ["[options]", *(f"{name} = {value}" for name, value in options.items())]
    (folder / "odoo.conf").write_text("\n".join(lines) + "\n")
    _own(folder)


def _launch(instance: Instance, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    version, folder = instance.version, instance.folder
    program = HOME / version / "odoo-bin"
    command = [str(HOME / "environment" / "bin" / "python"), str(program), "--config", str(folder / "odoo.conf")]
    environment = {
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "PATH": os.defpath,
        "PYTHONPATH": (HOME / version / "source").read_text(),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TZ": "UTC",
    }
    with (folder / "odoo.log").open("ab") as log:
        return subprocess.Popen(
            [*as_own_user(), *command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )


def _python() -> str:
    """A Python 3.11, for which the requirements are pinned, that the user whom Odoo runs as may use."""
    for each in (sys.executable, "/usr/bin/python3.11", "/usr/local/bin/python3.11"):
        # By way of env: what setpriv starts itself is found with its own rights.
        check = [*as_own_user(), "env", each, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 11))"]
        if Path(each).exists() and subprocess.run(check, capture_output=True, check=False).returncode == 0:
            return each
    raise OdooError("Odoo needs a Python 3.11 here that every user may run. Install it (apt-get install python3.11).")


def _own(folder: Path) -> None:
    """Give a folder with all in it to the user whom PostgreSQL and Odoo run as: both refuse to be root."""
    if os.geteuid() == 0:
        for each in (folder, *folder.rglob("*")):
            shutil.chown(each, "nobody", "nogroup")


def _readable(source: Path) -> None:
    if os.geteuid() != 0:
        return
    read = subprocess.run(
        [*as_own_user(), "env", "test", "-r", source / "odoo" / "release.py", "-a", "-x", HOME], check=False
    )
    if read.returncode != 0:
        raise OdooError(
            f"Odoo runs as the user nobody here, who can't read {source} or enter {HOME}. Make them and the folders "
            "above them readable (chmod a+rX), or name another folder in GUESTPASS_ODOO_HOME."
        )


def _exists(server: Cluster, database: str) -> bool:
    wanted = sql.SQL("SELECT 1 FROM pg_database WHERE datname = {}").format(sql.Literal(database))
    return bool(server.execute(wanted))


def _answers(url: str) -> bool:
    try:
        return bool(_fetch(url))
    except OSError:
        return False


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=120) as answer:
        content: bytes = answer.read()
        return content


def _wait_for(is_done: Any, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline:
            raise OdooError(f"Not within {seconds:.0f} s: {what}")
        time.sleep(0.1)


def _say(text: str) -> None:
    sys.stderr.write(f"guestpass: {text}\n")
