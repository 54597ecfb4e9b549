"""Wait for what can be observed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Return as soon as the condition holds; raises TimeoutError when it does not within `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- it may be another thread's or process's doing, which sets no Event
            await asyncio.sleep(0.001)
