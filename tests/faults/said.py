"""What a server's log says, and what it must never say."""

from __future__ import annotations

from collections import Counter

from tests.installation import Installation
from tests.supervisor.processes import said

__all__ = ["Heard", "assert_tells_no_secret", "said"]


class Heard:
    """What the log says from now on."""

    def __init__(self, server: Installation) -> None:
        self._server = server
        self._before = len(server.log)

    @property
    def text(self) -> str:
        """All of it."""
        return self._server.log[self._before :]

    @property
    def messages(self) -> Counter[str]:
        """How often each message came; what is no JSON counts as itself."""
        found: Counter[str] = Counter()
        for line in self.text.splitlines():
            found[line.partition('"message": "')[2].partition('"')[0] or line] += 1
        return found


def assert_tells_no_secret(server: Installation, *secrets: str) -> None:
    """None of what was used in a test stands anywhere in the log, and neither does the owner's own token."""
    log = server.log
    for secret in (*secrets, server.client.headers["Authorization"].removeprefix("Bearer ")):
        assert secret
        assert secret not in log
