"""Send a browser only what changed in a bundle since the one that it still has.

Compression Dictionary Transport (RFC 9842): an answer says for which later paths its body may be a dictionary, the
browser names by SHA-256 the one that it has, and the answer is Zstandard (RFC 8878) with that body as its prefix.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from pathlib import Path
from typing import Final

import zstandard

from guestpass.odoo.assets.files import pieces, read_label
from guestpass.odoo.http.compression import read_acceptance
from guestpass.wire.heads import RequestHead, ResponseHead

CODING: Final = b"dcz"

# Smaller bundles are sent in a moment as they are.
_LEAST: Final = 64 * 1024
# Both bodies are in memory while they are compared.
_MOST: Final = 32 * 1024 * 1024
# RFC 9842, section 3.2: a magic number of eight bytes, then the dictionary's SHA-256.
_MAGIC: Final = bytes.fromhex("5e2a4d1820000000")
# Where a dictionary helps, what is left is a hundredth. Less than this is not worth the memory.
_SHARE: Final = 8
_LEVEL: Final = 12
_WINDOW: Final = 8 * 1024 * 1024
# Nothing in the name may mean something in a URL pattern or end the string.
_BUNDLE_NAME = re.compile(rb"/web/assets/(?:[^/]+/)+([A-Za-z0-9_.-]+)")
_AVAILABLE = re.compile(rb"[ \t]*:([A-Za-z0-9+/]{43}=):[ \t]*")


class Delta:
    """A body in terms of a dictionary, as it is sent; `head` is that of the answer, once it was made."""

    __slots__ = ("body", "head")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.head: ResponseHead | None = None


def offer(path: bytes, length: int) -> bytes:
    """Return the Use-As-Dictionary of a kept asset: for bundles of its name under any hash; empty for no offer."""
    match = _BUNDLE_NAME.fullmatch(path) if _LEAST <= length <= _MOST else None
    return b"" if match is None else b'match="/web/assets/*/%b"' % match[1]


def available_dictionary(request: RequestHead) -> str | None:
    """Return the SHA-256, in hexadecimal digits, of the dictionary that a visitor has, where they take `CODING`."""
    value = request.values.get(b"available-dictionary")
    if value is None or not read_acceptance(request.values.get(b"accept-encoding", b"")).takes_dictionaries:
        return None
    match = _AVAILABLE.fullmatch(value)
    return None if match is None else base64.b64decode(match[1]).hex()


def compress_with(source: Path, dictionary: Path, digest: str) -> Delta | None:
    """Compress a plain file with another one as dictionary; None where they have too little in common. Blocks.

    Raises ValueError where one of them is not what it was, or OSError.
    """
    body, prefix = _read(source), _read(dictionary)
    if hashlib.sha256(prefix).hexdigest() != digest:
        raise ValueError("the dictionary was changed on the disk")
    # RFC 9842, section 3.2: clients support windows of 8 MiB, and of 1.25 times the dictionary. The dictionary can be
    # referred to as long as the window reaches back to its beginning, or to that of the body.
    if len(body) > max(_WINDOW, len(prefix) * 5 // 4):
        return None
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL,
        source_size=len(body),
        dict_size=len(prefix),
        window_log=max(_WINDOW - 1, len(body) - 1).bit_length(),
    )
    raw = zstandard.ZstdCompressionDict(prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    frame = zstandard.ZstdCompressor(compression_params=parameters, dict_data=raw).compress(body)
    made = b"%b%b%b" % (_MAGIC, bytes.fromhex(digest), frame)
    return Delta(made) if len(made) * _SHARE <= len(body) else None


def _read(path: Path) -> bytes:
    label, body = read_label(path), b"".join(pieces(path))
    if zlib.crc32(body) != label.crc:
        raise ValueError("the body was changed on the disk")
    return body
