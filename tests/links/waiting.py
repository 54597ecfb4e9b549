"""Wait for what can be observed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Return as soon as the condition holds; raises TimeoutError when it does not within `seconds`."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 -- it is another process's doing, which sets no Event
            await asyncio.sleep(0.01)
