"""The reference pages that are generated from the code: `python -m tests.docs.reference` writes them anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from guestpass.settings import CONFIG_HELP, CONFIG_VARIABLE, LoadedSettings, Settings, Source, describe

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"

_SETTINGS_HEAD = f"""# Settings

`guestpass serve` and every other command read the same settings: from variables of the environment, and from one TOML
file. A variable comes before the file, the file before the default. `guestpass settings` shows what they are on your
machine and where each is from.

The file is the one that `{CONFIG_VARIABLE}` names; where that is not set, `/etc/guestpass/guestpass.toml` if it exists,
else `guestpass.toml` in the data directory. In the file, a setting has its name in lower case and without the prefix,
and a list is an array:

```toml
listen = "0.0.0.0:8080"
public_url = "https://share.example.com"
link_domain = "links.example.com"
trusted_proxies = ["10.0.0.0/8"]
```

In the environment a list has commas: `GUESTPASS_TRUSTED_PROXIES=10.0.0.0/8,fd00::/8`. An empty variable counts as not
set. A wrong or unknown setting stops the start with its name and the remedy, and with exit status 2.

A command beside a server uses the server's `PUBLIC_URL`, `ADMIN_URL` and `LINK_DOMAIN` where they are not set for
itself: the server writes them into the database at each start.

| setting | what for | default |
|---|---|---|
"""

_COMMANDS_HEAD = """# Commands

Every command reads the [settings](settings.md). `env`, `account`, `share` and `visitors` do what the API does, on the
same database as the server beside them, which acts on it at once. Only `guestpass serve` and `guestpass db upgrade`
make a database or a key. Run the others as the user that the server runs as.

## A server somewhere else

`env`, `account`, `share`, `visitors` and `doctor` work from any machine too, with the same results:

```sh
export GUESTPASS_URL=https://admin.example.com   # ADMIN_URL, or PUBLIC_URL where API_ON_PUBLIC is on
export GUESTPASS_TOKEN=…                         # beside the server: guestpass token --sub anna --expires 30d
guestpass share list
```

The token says in whose name, in which organisation and for what. No other setting is read then, and `--org` is refused.
An authority of your own for https is named in `SSL_CERT_FILE`.

## What may be typed

- **An environment**: its id or name, or the beginning of one.
- **A share link**: its id or label, the beginning of one, a part of the label, or its whole URL. What could mean
  several is refused with a list of them.
- **A duration**: `24h`, `7d`, `1h30m`, `2 weeks`, `1 day and 12 hours`; for the end of a link also a day (`2026-03-31`,
  to its end) or a time (`2026-03-31 18:00`), in UTC unless it says its zone.
- **Nothing**: `--clear password` and its like remove a value. An empty text (`--label ""`) clears texts only. It is
  refused for what decides who gets in, since a script may pass it by mistake; so is an empty line for `--password -`.
- **A visitor**: the number that `guestpass visitors list` shows, or the id.

`guestpass --install-completion` lets the shell complete commands, options, environments and links.

## For scripts

Results go to standard output, everything else to standard error. What ends something asks first, unless `--yes` is
given. `NO_COLOR` turns colours off. With `--json` the result is one document, in the API's form:

| command | document |
|---|---|
| `share create`, `show`, `edit`, `extend`, `resume`, `rotate` | the link, with `password` if one was made |
| the same with `--message` | the link, with `message`: `{"subject", "text", "mailto"}` |
| `share list` | `{"shareLinks": [...], "total": n}` |
| `share pause`, `deactivate` | `{"deactivated": [...], "alreadyDeactivated": [...], "notFound": [...]}` |
| `share remove` | `{"removed": [...]}` |
| `share unlock` | `{"unlocked": "..."}` |
| `share why` | `{"link": {...}, "causes": [{"code", "detail", "remedy"}], "refusals": [...]}` |
| `share history` | `{"events": [...]}` |
| `visitors list`, `visitors end` | `{"visitors": [...], "total": n}`, `{"ended": "..."}` |
| `env list`, `env remove` | `{"environments": [...], "total": n}`, `{"removed": "..."}` |
| `env add`, `show`, `edit`, `check` | the environment |
| `env refused-calls` | `{"refusedCalls": [...], "total": n}` |
| `account add`, `list`, `remove` | the account, `{"accounts": [...], "total": n}`, `{"removed": "..."}` |
| `sessions list` | `{"sessions": [...], "total": n}` |
| `token`, `token revoke` | `{"token", "jti", "sub", "org", "scope", "expiresAt"}`, `{"revoked": "..."}` |
| `settings`, `db upgrade` | `{"file", "settings": [{"name", "value", "source", "help"}]}`, `{"database": "..."}` |
| `db copy` | `{"database": "...", "rows": {"links": 12, ...}}` |
| `doctor` | `{"ok": true, "checks": [{"check", "result", "detail", "remedy"}]}` |

The `result` of a check is `ok`, `warning` or `problem`.

| exit status | meaning |
|---|---|
| 0 | done |
| 1 | refused, not found, or not confirmed; `doctor` has found a problem; `serve` can't listen on an address |
| 2 | a wrong argument, option or setting; a database, key, address or token that can't be used |
| 3 | the server somewhere else can't be reached or has failed: the same may work later |
| 130 | stopped by Ctrl-C |

"""


def settings_page() -> str:
    """docs/reference/settings.md, from the fields of Settings."""
    settings = Settings(data_dir=Path("/var/lib/guestpass"))
    lines = describe(LoadedSettings(settings, dict.fromkeys(Settings.model_fields, Source.DEFAULT), None))
    rows = [f"| `{line.name}` | {line.help} | {line.default} |\n" for line in lines]
    return _SETTINGS_HEAD + f"| `{CONFIG_VARIABLE}` | {CONFIG_HELP} | empty |\n" + "".join(rows)


def commands_page() -> str:
    """docs/reference/cli.md, from the commands themselves."""
    typer = [sys.executable, "-m", "typer", "guestpass.cli.application", "utils", "docs", "--name", "guestpass"]
    document = subprocess.run(typer, check=True, capture_output=True, text=True).stdout
    # One level down: the page has a title of its own.
    lines = [f"#{line}" if line.startswith("#") else line for line in document.splitlines()]
    return _COMMANDS_HEAD + "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    (FOLDER / "settings.md").write_text(settings_page(), encoding="utf-8")
    (FOLDER / "cli.md").write_text(commands_page(), encoding="utf-8")
