"""Turn errors of a command into sentences and an exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

from guestpass.app.instance import AnotherKey
from guestpass.cli.session import REFUSED, WRONG, Stopped
from guestpass.data_directory import DataDirectoryUnusable
from guestpass.domain.errors import GuestpassError, Invalid
from guestpass.settings import SettingsError

_STOPPED_BY_INTERRUPT = 130  # 128 + SIGINT, as shells report it.


def stopping(action: Callable[[], object], names: Mapping[str, str] = MappingProxyType({})) -> int:
    """Run the action and return the exit status; errors are printed on standard error.

    `names` maps the API's fields to options that have other names.
    """
    try:
        status = action()
    except KeyboardInterrupt:
        return fail(_STOPPED_BY_INTERRUPT, "Stopped.")
    except Stopped as error:
        return fail(error.status, str(error))
    except SettingsError as error:
        return fail(WRONG, *error.problems)
    except (AnotherKey, DataDirectoryUnusable) as error:
        return fail(WRONG, str(error))
    except Invalid as error:
        return fail(WRONG, *(f"{names.get(each.field, each.field)} {each.message}." for each in error.errors))
    except GuestpassError as error:
        return fail(REFUSED, str(error))
    return status if isinstance(status, int) else 0


def fail(status: int, *sentences: str) -> int:
    """Print what has stopped a command; returns the exit status."""
    for sentence in sentences:
        print(f"guestpass: {sentence}", file=sys.stderr)  # noqa: T201 - the command's way to speak
    return status
