"""Whether this process may open one more file or socket: where not, nobody else is to blame for what fails."""

from __future__ import annotations

import errno
import os
from typing import Final

from guestpass.domain.errors import DescriptorsUsedUp

_USED_UP: Final = frozenset({errno.EMFILE, errno.ENFILE})


def require_descriptor() -> None:
    """Raise DescriptorsUsedUp where none can be had.

    The resolver and OpenSSL read files and make sockets of their own, and say something else where they can't.
    """
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        raise_if_used_up(error)


def raise_if_used_up(error: OSError) -> None:
    """Raise DescriptorsUsedUp where it was this that went wrong: the process or the machine has as many as it may."""
    if error.errno in _USED_UP:
        raise DescriptorsUsedUp(os.strerror(error.errno)) from None
