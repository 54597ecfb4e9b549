"""JupyterLab: kernel WebSockets, an XSRF cookie, an HttpOnly login cookie, and checks of Host and Origin."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.applications.processes import ROOT, running
from tests.markers import starts

_PYTHON = ROOT / ".venv-jupyterlab" / "bin" / "python"
NOTEBOOK = "visit.ipynb"
_EMPTY_NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "cells": [
        {"id": "first", "cell_type": "code", "source": "", "metadata": {}, "outputs": [], "execution_count": None},
    ],
}


@dataclass(frozen=True, slots=True)
class JupyterLab:
    """A running JupyterLab with one empty notebook, and the token to log in with."""

    url: str
    token: str
    notebook: str


@starts("applications", "slow")
@contextmanager
def running_jupyterlab(folder: Path, port: int, *, hostnames: Sequence[str] = ()) -> Iterator[JupyterLab]:
    """JupyterLab on `port`, with `folder` as its home.

    Its check of the Host field stays on: besides loopback names it answers only to `hostnames`.
    """
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    (notebooks / NOTEBOOK).write_text(json.dumps(_EMPTY_NOTEBOOK))
    url, token = f"http://127.0.0.1:{port}", "a-token-for-tests"
    command = [
        str(_PYTHON), "-m", "jupyterlab", "--no-browser", "--allow-root",
        "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={notebooks}", f"--ServerApp.local_hostnames={['localhost', *hostnames]!r}",
        "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    environment = {
        "HOME": str(folder),
        "JUPYTER_TOKEN": token,
        "JUPYTER_CONFIG_DIR": str(folder / "configuration"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    with running(command, ready=f"{url}/login", log=folder / "jupyterlab.log", environment=environment):
        yield JupyterLab(url, token, NOTEBOOK)
