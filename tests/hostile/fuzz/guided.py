"""Search where the code branches: ``python -m tests.hostile.fuzz.guided FOLDER -max_len=4096 -len_control=0``.

Takes atheris (``uv pip install --group fuzz``, for Linux) and libFuzzer's own options. Chance is what the fuzzer's
bytes say, so it finds its way through the grammar by what the gateway does with the outcome. A difference ends it, and
the bytes are kept.
"""

from __future__ import annotations

import sys
from random import Random

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]
import structlog

with atheris.instrument_imports(include=["guestpass.gateway", "guestpass.odoo", "guestpass.wire"]):
    from tests.hostile.fuzz.checks import check_answers, check_requests


class _Chosen(Random):
    """Draws from the fuzzer's bytes for as long as there are any; after that everything is as usual."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._bytes = atheris.FuzzedDataProvider(data)

    def getrandbits(self, k: int, /) -> int:
        return int(self._bytes.ConsumeUInt((k + 7) // 8)) % (1 << k)

    def random(self) -> float:
        return self.getrandbits(16) / (1 << 16)

    def _randbelow(self, n: int) -> int:
        # The base class would draw again and again where too large a number comes.
        return self.getrandbits(max(16, n.bit_length())) % n


def _once(data: bytes) -> None:
    chance = _Chosen(data)
    (check_requests if chance.random() < 0.5 else check_answers)(chance)


def main() -> None:
    """Search."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    atheris.Setup(sys.argv, _once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
