"""What can be chosen about the double, on its command line and while it runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any


def _setting(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass
class Settings:
    """Every choice; each field is an option of the same name (`--gevent-port`)."""

    port: int = field(metadata={"help": "where HTTP is answered (Odoo's 8069)"})
    gevent_port: int = field(metadata={"help": "where the bus is answered (Odoo's 8072); unused with --workers 0"})
    control_port: int = field(metadata={"help": "where tests inspect and steer the double"})
    workers: int = _setting(2, "prefork workers that serve one connection at a time; 0 is the threaded mode")
    version: str = _setting("18.0", "what Odoo says it is; before 16.0 the bus is /longpolling/*")
    databases: str = _setting("demo18", "names, comma-separated")
    dbfilter: str = _setting("", "Odoo's dbfilter: a regular expression with %h and %d")
    list_db: bool = _setting(True, "whether the database manager tells names")
    master_password: str = _setting("admin", "of the database manager")
    proxy_mode: bool = _setting(True, "whether X-Forwarded-* counts (where X-Forwarded-Host is present)")
    absolute_redirects: bool = _setting(False, "redirect as Werkzeug 2.0 does: with scheme and host")
    base_url: str = _setting("", "web.base.url at the start; empty is http://localhost:PORT")
    freeze_base_url: bool = _setting(False, "web.base.url.freeze")
    report_url: str = _setting("", "report.url: where PDF reports fetch their styles, instead of web.base.url")
    website_domain: str = _setting("", "website.domain, which canonical links then name")
    x_sendfile: bool = _setting(False, "answer files with X-Accel-Redirect and an empty body")
    read_timeout: float = _setting(2.0, "seconds that a prefork worker waits for a byte")
    ping_after: float = _setting(45.0, "seconds of silence on a WebSocket before the server pings")
    keep_alive: float = _setting(3600.0, "seconds after which a WebSocket is closed with 4002")
    throttle_seconds: float = _setting(60.0, "how long failed logins close a worker's door to a source address")
    session_lifetime: float = _setting(604800.0, "seconds after which a session that nobody saved is gone")
    throttle_failures: int = _setting(5, "how many failed logins do; 0: none")
    rotate_after: float = _setting(
        0.0, "seconds after which a login's session gets a new id (Odoo 19: 10800); 0: never"
    )
    rotate_after_requests: int = _setting(0, "requests after which it does; 0: never")
    rotation_grace: float = _setting(120.0, "seconds for which the id before such a rotation stays good")
    rotate_on_upgrade: bool = _setting(False, "rotate so on each 101")
    check_origin: bool = _setting(
        False, "treat a WebSocket of a foreign Origin as the public user's, as later versions do"
    )

    @property
    def database_names(self) -> list[str]:
        """The databases of this server, in order."""
        return [name.strip() for name in self.databases.split(",") if name.strip()]

    @property
    def threaded(self) -> bool:
        """Whether Odoo runs without workers: one process, a thread a connection, the bus on the same port."""
        return self.workers == 0

    @property
    def major(self) -> int:
        """18 of "18.0"."""
        return int(self.version.split(".")[0])

    def change(self, name: str, value: Any) -> None:
        """Set one setting while running; raises ValueError for an unknown name or another type."""
        known = {each.name for each in fields(self)}
        if name not in known or name.endswith("port"):
            raise ValueError(f"{name} is no setting that can change")
        current = getattr(self, name)
        if isinstance(current, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not type(current):
            raise ValueError(f"{name} must be {type(current).__name__}")
        setattr(self, name, value)


def read_options(arguments: Sequence[str] | None = None) -> Settings:
    """Settings from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.doubles.odoo", description="A test double of Odoo 18.")
    for each in fields(Settings):
        option = "--" + each.name.replace("_", "-")
        # argparse formats it with %; from Python 3.14 on it does so at once, and not only for --help.
        text = each.metadata["help"].replace("%", "%%")
        if each.default is MISSING:
            parser.add_argument(option, type=int, required=True, help=text)
        elif isinstance(each.default, bool):
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=each.default, help=text)
        else:
            parser.add_argument(option, type=type(each.default), default=each.default, help=text)
    return Settings(**vars(parser.parse_args(arguments)))
