"""Bodies without content: as long as Odoo's were, and about as compressible.

A body is made of short phrases. Some are met for the first time (every compressor pays for them), some were met long
ago (gzip has forgotten them, a larger window has not), the rest is the small talk that every compressor gets for
nothing. The shares are set so that gzip-6 comes to the measured size, and brotli and zstd to about the part of it
that they need for Odoo's own bundles.
"""

from __future__ import annotations

import random
import zlib
from functools import cache, lru_cache
from itertools import accumulate

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_STARTS = ("this.", "return ", "const ", "if(", "props.", "env.", "await ", "set", "get", "on")
_ENDS = (";", "){", "},", "(", "?", ".call(", "||", "&&", ":", ",")
_SYMBOLS = _LETTERS + _LETTERS.upper() + "0123456789+"
_SAMPLE = 500_000
_DENSEST = 0.4
_REPETITIVE = 0.12
# These three, and how long and how many the phrases of small talk are, were chosen so that the bundles of the web
# client come to what each compressor makes of Odoo's own; see README.md.
_FRESH = 0.83
_WORDS = 60_000
_SKEW = 1.5


@lru_cache(maxsize=64)
def text(length: int, compressed: int, seed: str) -> str:
    """ASCII text of `length` characters that gzip-6 brings to about `compressed` bytes; the same for the same `seed`.

    It holds neither ``*/`` nor ``--`` nor quotes nor angle brackets, so it can stand in any comment or string.
    """
    if length <= 0:
        return ""
    wanted = max(0.0, min(1.0, compressed / length))
    if wanted > _DENSEST:
        # Pictures inside of pages: letters without any order.
        dense = min(length, int(compressed / 0.76))
        return "".join(random.Random(seed).choices(_SYMBOLS, k=dense)) + "x" * (length - dense)
    sample = min(length, _SAMPLE)
    # Even phrases that come again cost something the first time.
    small_talk = max(2, min(80, compressed // 120))
    run = 2 if wanted > _REPETITIVE else 4
    low, high = 0.0, 1.0
    for _ in range(7):
        middle = (low + high) / 2
        made = len(deflated(_weave(sample, middle, seed, small_talk, run).encode())) / sample
        low, high = (middle, high) if made < wanted else (low, middle)
    return _weave(length, (low + high) / 2, seed, small_talk, run)


def deflated(body: bytes) -> bytes:
    """The body as gzip-6 would have it, less gzip's own frame."""
    return zlib.compress(body, 6)


def left_for_filler(compressed: int, own: bytes) -> int:
    """What of a compressed size is left beside a page of ours, in steps that are the same for each visitor."""
    return max(0, compressed - -(-len(deflated(own)) // 256) * 256)


def noise(length: int, compressed: int, seed: str) -> bytes:
    """Bytes that compress to about `compressed`: what an image or a font looks like to a compressor."""
    if length <= 0:
        return b""
    dense = max(0, min(length, compressed - 30))
    return random.Random(seed).randbytes(dense) + bytes(length - dense)


def _weave(length: int, share: float, seed: str, small_talk: int, run: int) -> str:
    """Phrases of which `share` are not to be found within gzip's window."""
    source = random.Random(seed)
    words = _words()
    common = ["".join(_phrase(source, words) for _ in range(run)) for _ in range(small_talk)]
    count = length // 24 + 1
    fresh = int(count * share * _FRESH)
    # Each of these phrases comes back about five times, most often further back than 32 KiB.
    distant = [_phrase(source, words) for _ in range(int(count * share * (1 - _FRESH) / 5) + 1)]
    new = [_phrase(source, words) for _ in range(fresh)]
    weights = list(accumulate((fresh, count * share * (1 - _FRESH), count * (1 - share))))
    kinds = source.choices((new, distant, common), cum_weights=weights if weights[-1] else None, k=count)
    picked = []
    next_new = iter(new)
    for kind in kinds:
        phrase = next(next_new, None) if kind is new else None
        picked.append(phrase or source.choice(kind if kind is not new else common))
    made = "".join(picked)
    while len(made) < length:
        made += made
    return made[:length]


@cache
def _words() -> list[str]:
    source = random.Random("words")
    return ["".join(source.choices(_LETTERS, k=source.randint(3, 11))) for _ in range(_WORDS)]


def _phrase(source: random.Random, words: list[str]) -> str:
    # The first words come more often than the last, as in any language.
    first = words[int(source.random() ** _SKEW * len(words))]
    second = words[int(source.random() ** _SKEW * len(words))]
    return source.choice(_STARTS) + first + source.choice(_ENDS) + second + source.choice(_ENDS)
