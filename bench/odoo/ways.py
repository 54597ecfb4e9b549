"""The ways to an Odoo that are compared."""

from __future__ import annotations

from bench.candidates import Candidate, Guestpass, GuestpassCompiled
from bench.candidates.nginx import NginxPlain
from bench.odoo.upstream import DATABASE, LINK, LOGIN, VISITOR


class NginxOdoo(NginxPlain):
    """nginx as Odoo's documentation has it, with a cache of assets; it asks nobody."""

    title = "nginx as in Odoo's docs"

    def start(self) -> None:
        self.start_proxy(self.render("nginx-odoo.conf.j2"))


_ODOO = {"kind": "odoo", "database": DATABASE}
# By name: the title, what the environment is, and what the link is.
_LINKS = {
    "web": ("kind web", {"kind": "web"}, {}),
    "odoo": ("kind odoo", _ODOO, {}),
    "signed_in": ("kind odoo, signed in", _ODOO, {"signInAs": {"login": LOGIN, "password": "made up"}}),
    "view_only": ("kind odoo, view-only", _ODOO, {"access": "readOnly"}),
}


def _through(build: type[Guestpass], name: str, title: str) -> type[Guestpass]:
    _, environment_fields, link_fields = _LINKS[name.removesuffix("_compiled")]
    fields = {"name": name, "title": title, "environment_fields": environment_fields, "link_fields": link_fields}
    way: type[Guestpass] = type(build.__name__, (build,), fields)
    return way


WAYS: dict[str, type[Candidate]] = {
    NginxOdoo.name: NginxOdoo,
    **{name: _through(Guestpass, name, title) for name, (title, *_) in _LINKS.items()},
    **{
        f"{name}_compiled": _through(GuestpassCompiled, f"{name}_compiled", f"{title}, compiled")
        for name, (title, *_) in _LINKS.items()
    },
}


def base_of(name: str) -> str:
    """The way of kind web that one is compared with: that of the same build."""
    return "web_compiled" if name.endswith("_compiled") else "web"


def is_cached(name: str) -> bool:
    """Whether a way answers for assets without asking Odoo."""
    return name != base_of(name)


def reader(name: str) -> str:
    """Whom Odoo answers on a way."""
    return LINK if name.startswith("signed_in") else VISITOR
