"""A way out for browsers whose cookies have grown too long for any request, by a script's doing or by accident.

Nothing else would end it: each request brings the cookies along, and so is refused. So a navigation is answered with a
redirect to where it went, which takes away the cookies that stand first in its head, until the rest is short enough.
"""

from __future__ import annotations

import re
from typing import Final

from guestpass.gateway.cookies import expirations, is_ours
from guestpass.wire.heads import MAX_HEAD

# Less than any browser takes of an answer's head; Chromium takes 256 KiB.
_MOST_LINES: Final = 192 * 1024
_MOST_PATHS: Final = 8
# No second slash at the beginning, which to browsers a backslash is too: that would lead to another host.
_NAVIGATION = re.compile(rb"GET (/(?![/\\])[\x21-\x7e]*) HTTP/1\.1\r\n")
_IS_NAVIGATION = re.compile(
    rb"\r\n(?:sec-fetch-mode:[ \t]*navigate|upgrade-insecure-requests:[ \t]*1)[ \t]*\r\n", re.IGNORECASE
)
_NAME = re.compile(rb"[^\x00-\x20\x7f]+")
_COOKIES = re.compile(rb"\r\ncookie:([^\r\n]*)", re.IGNORECASE)


def shed(head: bytes, *, secure: bool, domain: bytes = b"") -> tuple[bytes, list[bytes]] | None:
    """Where a navigation goes again and the field lines that shorten its cookies; None where that is no help.

    `head` is the beginning of a head that is too long. Our own cookies are kept: they are few, and short. `domain` is
    the one below which links have their hosts: a script of one link can set cookies for all. Cookies of the domains
    above are left alone, since they are other sites'.
    """
    head = head[:MAX_HEAD]
    navigation = _NAVIGATION.match(head)
    if navigation is None or _IS_NAVIGATION.search(head) is None:
        return None
    cookies = _COOKIES.search(head)
    if cookies is None:
        return None
    # The last one may be cut off in the middle of its name.
    pairs = cookies[1].split(b";")[:-1]
    names = (pair.partition(b"=")[0].strip(b" \t") for pair in pairs)
    lines: list[bytes] = []
    size = 0
    paths = _paths_to(navigation[1].partition(b"?")[0])
    plain = [name for name in dict.fromkeys(names) if _NAME.fullmatch(name) and not is_ours(name)]
    for field in expirations(plain, secure=secure, paths=paths, domain=domain):
        line = b"Set-Cookie: %b\r\n" % field
        size += len(line)
        if size > _MOST_LINES:
            break
        lines.append(line)
    return (navigation[1], lines) if lines else None


def _paths_to(path: bytes) -> list[bytes]:
    """The paths of cookies that come with a request for `path` (RFC 6265, section 5.1.4)."""
    paths = [b"/"]
    at = path.find(b"/", 1)
    while at > 0 and len(paths) < _MOST_PATHS:
        paths += [path[:at], path[: at + 1]]
        at = path.find(b"/", at + 1)
    if path not in paths:
        paths.append(path)
    return [each for each in paths if b";" not in each]
