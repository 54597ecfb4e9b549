"""Configure logging: one line per event on standard error, as text or JSON, with secrets hidden."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import IO, Final, Literal

# structlog imports rich where it is installed, for tracebacks that are not used here. It takes 4 MB of each process.
# None makes the import fail; commands import it later as usual.
_rich = sys.modules.get("rich")
sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402
from structlog.typing import EventDict, Processor, WrappedLogger  # noqa: E402

del sys.modules["rich"]
if _rich is not None:
    sys.modules["rich"] = _rich

# A second guard behind the rule that no secret is logged: share tokens, JSON Web Tokens and visitors' passes, anywhere
# in a line.
_SECRETS = re.compile(
    r"gp_[0-9A-Za-z]{16,}"
    r"|eyJ[\w-]{8,}\.[\w-]+\.[\w-]+"
    r"|(?<![\w.])[1p]\.[a-z2-7]{16}\.[0-9]+\.[\w-]{22}\.[0-9]+\.[\w-]{43}",
    re.ASCII,
)

AGAIN_SECONDS: Final = 60.0
"""The interval at which a continuing fault is logged again."""
_MOST_FAULTS: Final = 1000


def configure(
    log_format: Literal["console", "json"], *, level: int = logging.INFO, stream: IO[str] | None = None
) -> None:
    """Send the events of structlog, `logging` (asyncio, uvicorn) and `warnings` to one handler.

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
        # Their lines about ordinary starts and stops are internals.
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
    """Return the logger of a module; pass values by name: ``log.info("link opened", link=id)``."""
    log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return log


class Faults:
    """Log a fault when it begins, and once a minute how often it has recurred.

    So a fault of every request does not fill the disk.
    """

    def __init__(self, log: structlog.stdlib.BoundLogger, time: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._time = time
        self._faults: dict[tuple[Hashable, ...], _Fault] = {}

    def warn(self, event: str, *about: Hashable, **values: object) -> None:
        """Log a fault, or count it as a repetition of one with the same event and `about`; `values` are logged."""
        key, now = (event, *about), self._time()
        fault = self._faults.get(key)
        if fault is None:
            if len(self._faults) >= _MOST_FAULTS:
                # So many different ones are made up by clients; drop the oldest.
                del self._faults[next(iter(self._faults))]
            self._faults[key] = _Fault(now, values)
            self._log.warning(event, **values)
        else:
            fault.again += 1
            fault.values = values
            self._repeat(event, fault, now)

    def sweep(self) -> None:
        """Log the repetitions not logged yet, and forget faults that have ended; call it regularly."""
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
    """When a fault was last logged (monotonic seconds), its values, and how often it has recurred since."""

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
