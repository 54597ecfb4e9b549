"""Tell a lack of file descriptors from an upstream's failure."""

from __future__ import annotations

import errno
import os
from typing import Final

_USED_UP: Final = frozenset({errno.EMFILE, errno.ENFILE})


class NoDescriptorError(Exception):
    """The process or the machine has no free file descriptor; the text is the system's."""


def require_descriptor() -> None:
    """Raise NoDescriptorError if no file can be opened.

    The resolver and OpenSSL open files and sockets themselves, and report another error where that fails.
    """
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        raise_if_used_up(error)


def raise_if_used_up(error: OSError) -> None:
    """Raise NoDescriptorError if the error is EMFILE or ENFILE."""
    if error.errno in _USED_UP:
        raise NoDescriptorError(os.strerror(error.errno)) from None
