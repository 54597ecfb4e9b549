"""A certificate that is replaced while it is used."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.operate.certificates import write_pair

from guestpass import tls
from guestpass.tls import Certificate, Pair


class Fleeting(Pair):
    """A pair whose certificate is gone again just when it has been read, where it lies beside a file `fleeting`."""

    def load(self) -> ssl.SSLContext:
        context = super().load()
        if self.certificate.with_name("fleeting").exists():
            self.certificate.unlink()
        return context


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while True:
            if is_so():
                return
            await asyncio.sleep(0)


async def test_a_file_that_goes_while_it_is_read_anew_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "_POLL_SECONDS", 0)
    pair = Fleeting(tmp_path / "cert.pem", tmp_path / "key.pem")
    write_pair(pair.certificate, pair.key)
    certificate = Certificate(pair)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(certificate.watch())
        (tmp_path / "fleeting").touch()
        write_pair(pair.certificate, pair.key, serial=2)
        await until(lambda: not pair.certificate.exists())
        (tmp_path / "fleeting").unlink()
        before = certificate._current
        write_pair(pair.certificate, pair.key, serial=3)
        await until(lambda: certificate._current is not before)
        assert not watching.done()
        watching.cancel()
