"""TLS on the listeners: load the certificate, reload it when its files change, and warn before it expires."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from guestpass import telemetry
from guestpass.app.installation_findings import CERTIFICATE_ENDS_SOON
from guestpass.settings import Settings, SettingsError
from guestpass.system import SystemClock

HANDSHAKE_SECONDS: Final = 10.0
"""The timeout of a client's handshake."""

_POLL_SECONDS: Final = 1.0
_DAY_SECONDS: Final = 86_400.0

_State = tuple[tuple[int, int, int], ...]


class CertificateUnusable(SettingsError):
    """TLS_CERT and TLS_KEY can't be used; the text names the setting and the remedy."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The files of a certificate with its chain, and of its private key."""

    certificate: Path
    key: Path

    @classmethod
    def of(cls, settings: Settings) -> Pair | None:
        """Return the pair of the settings; None for plain HTTP."""
        if settings.tls_cert is None or settings.tls_key is None:
            return None
        return cls(settings.tls_cert, settings.tls_key)

    def load(self) -> ssl.SSLContext:
        """A context for a server (TLS 1.2 and later, Python's choice of ciphers); raises CertificateUnusable."""
        for setting, path in (("GUESTPASS_TLS_CERT", self.certificate), ("GUESTPASS_TLS_KEY", self.key)):
            try:
                path.open("rb").close()
            except OSError as error:
                raise CertificateUnusable(
                    f"{setting} is {path}, which can't be read: {error.strerror}. "
                    "Correct the path, or let this user read the file."
                ) from None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            # Otherwise OpenSSL would prompt for a passphrase on the terminal.
            context.load_cert_chain(self.certificate, self.key, password=_refuse_passphrase)
        except (OSError, ValueError) as error:
            raise CertificateUnusable(self._explain(error)) from None
        return context

    def expires_at(self) -> datetime:
        """Return when the certificate expires; raises CertificateUnusable."""
        try:
            return x509.load_pem_x509_certificates(self.certificate.read_bytes())[0].not_valid_after_utc
        except (OSError, ValueError):
            raise CertificateUnusable(f"GUESTPASS_TLS_CERT is {self.certificate}, which is no certificate.") from None

    def state(self) -> _State:
        """Return values that change when a file or a symbolic link to it does; empty where one is missing."""
        try:
            return tuple(
                (status.st_ino, status.st_size, status.st_ctime_ns)
                for status in (os.stat(self.certificate), os.stat(self.key))  # noqa: PTH116 - the shorter of two names
            )
        except OSError:
            return ()

    def _explain(self, error: Exception) -> str:
        both = f"GUESTPASS_TLS_CERT {self.certificate} and GUESTPASS_TLS_KEY {self.key}"
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            return f"{both} don't belong together: the key is not the certificate's. Name the files of one pair."
        if isinstance(error, _PassphraseWantedError):
            return (
                f"GUESTPASS_TLS_KEY is {self.key}, which wants a passphrase that nobody could type at a start: "
                "store the key without one, readable by this user alone."
            )
        return f"{both} can't be used: both must hold PEM, the certificate first among its chain."


class Certificate:
    """The certificate of new connections; existing ones keep theirs."""

    def __init__(self, pair: Pair) -> None:
        """Read the pair; raises CertificateUnusable."""
        self._pair = pair
        self._seen = pair.state()
        self._current = pair.load()
        self.context = self._current
        """The SSLContext for `create_server`, which selects the newest certificate."""
        self.context.sni_callback = self._choose

    async def watch(self) -> None:
        """Reload the files when they have changed, until cancelled; an unusable pair is ignored."""
        log = telemetry.logger("guestpass.tls")
        changed = False
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            state = self._pair.state()
            if state != self._seen:
                # The two files change one after the other, so wait until they no longer do.
                self._seen, changed = state, True
            elif changed:
                changed = False
                try:
                    # Either may fail, since files may be removed at any moment.
                    context, expires_at = self._pair.load(), self._pair.expires_at()
                except CertificateUnusable as error:
                    log.error("certificate_unusable", cause=str(error), effect="the one before stays in use")  # noqa: TRY400
                else:
                    self._current = context
                    log.info("certificate_reloaded", expires_at=expires_at.isoformat())

    def _choose(self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current


async def warn_of_expiry(pair: Pair, clock: SystemClock) -> None:
    """Warn once a day while the certificate has less than two weeks left, until cancelled."""
    log = telemetry.logger("guestpass.tls")
    while True:
        expires_at = None
        # The reload logs what is wrong with it.
        with contextlib.suppress(CertificateUnusable):
            expires_at = pair.expires_at()
        if expires_at is not None and (left := expires_at - clock.now()) < CERTIFICATE_ENDS_SOON:
            log.warning(
                "certificate_expires" if left > timedelta() else "certificate_expired",
                expires_at=expires_at.isoformat(),
                days_left=max(0, left.days),
                file=str(pair.certificate),
                remedy="renew it and put it in the place of the old one; it is read without a restart",
            )
        await asyncio.sleep(_DAY_SECONDS)


class _PassphraseWantedError(ValueError):
    """The private key can't be read without a passphrase."""


def _refuse_passphrase() -> str:
    raise _PassphraseWantedError
