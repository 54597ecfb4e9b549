"""Logging: one line for each event on standard error, for people or for machines, and never with a secret."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import IO, Final, Literal

# structlog imports rich wherever it is installed, for tracebacks of a kind that we don't have. It takes 4 MB of each
# process that serves. None says that there is no such module; commands import it later as usual.
_rich = sys.modules.get("rich")
sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402
from structlog.typing import EventDict, Processor, WrappedLogger  # noqa: E402

del sys.modules["rich"]
if _rich is not None:
    sys.modules["rich"] = _rich

# A net below the rule that nothing secret is logged: share tokens (with the prefix that we give them), JSON Web
# Tokens, and visitors' passes, wherever in a line they stand.
_SECRETS = re.compile(
    r"gp_[0-9A-Za-z]{16,}"
    r"|eyJ[\w-]{8,}\.[\w-]+\.[\w-]+"
    r"|(?<![\w.])[1p]\.[a-z2-7]{16}\.[0-9]+\.[\w-]{22}\.[0-9]+\.[\w-]{43}",
    re.ASCII,
)

AGAIN_SECONDS: Final = 60.0
"""How often a fault that goes on is told of, in seconds."""
_MOST_FAULTS: Final = 1000


def configure(
    log_format: Literal["console", "json"], *, level: int = logging.INFO, stream: IO[str] | None = None
) -> None:
    """Send structlog's events and those of `logging` (asyncio's, uvicorn's) and `warnings` the same way.

    Without `stream`, lines go to standard error. A second call replaces what the first one set up.
    """
    out = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(log_format, colors=out.isatty() and not os.environ.get("NO_COLOR")),
                _without_secrets,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("alembic", "uvicorn"):
        # What they say of ordinary starts and stops is about our insides, not about the installation.
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a room; values are given by name: ``log.info("link opened", link=id)``."""
    log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return log


class Faults:
    """Says what fails when it begins to, and once a minute how often it happened again for as long as it goes on.

    A fault that each request meets must not fill the disk with what was said already.
    """

    def __init__(self, log: structlog.stdlib.BoundLogger, time: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._time = time
        self._faults: dict[tuple[Hashable, ...], _Fault] = {}

    def warn(self, event: str, *about: Hashable, **values: object) -> None:
        """It failed; what has the same event and is `about` the same is the same fault. `values` go into the line."""
        key, now = (event, *about), self._time()
        fault = self._faults.get(key)
        if fault is None:
            if len(self._faults) >= _MOST_FAULTS:
                # Only what a stranger makes up is so various; the oldest begins anew.
                del self._faults[next(iter(self._faults))]
            self._faults[key] = _Fault(now, values)
            self._log.warning(event, **values)
        else:
            fault.again += 1
            fault.values = values
            self._repeat(event, fault, now)

    def sweep(self) -> None:
        """Say what is still to be said of faults that have ended, and forget them; call it now and then."""
        now = self._time()
        for key, fault in list(self._faults.items()):
            if now - fault.at < AGAIN_SECONDS:
                continue
            if fault.again:
                self._repeat(str(key[0]), fault, now)
            else:
                del self._faults[key]

    def _repeat(self, event: str, fault: _Fault, now: float) -> None:
        if now - fault.at >= AGAIN_SECONDS:
            self._log.warning(event, again=fault.again, **fault.values)
            fault.at, fault.again = now, 0


@dataclass(slots=True)
class _Fault:
    """When a fault was told of, what of, and how often it has happened since."""

    at: float
    values: dict[str, object]
    again: int = 0


def _rendering(log_format: Literal["console", "json"], *, colors: bool) -> list[Processor]:
    if log_format == "json":
        # Tracebacks without local variables: those hold secrets.
        return [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)]


def _without_secrets(logger: WrappedLogger, name: str, line: EventDict | str) -> str:
    del logger, name
    return _SECRETS.sub("[hidden]", str(line))
