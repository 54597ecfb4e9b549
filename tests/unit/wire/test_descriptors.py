"""Whether a failure is a lack of descriptors."""

from __future__ import annotations

import errno

import pytest
from tests.unit.wire.descriptors import no_descriptor

from guestpass.wire.descriptors import NoDescriptorError, raise_if_used_up, require_descriptor


def test_who_can_open_a_file_has_a_descriptor() -> None:
    require_descriptor()
    with no_descriptor(), pytest.raises(NoDescriptorError, match="Too many open files"):
        require_descriptor()
    require_descriptor()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_the_process_or_the_machine_may_have_none_left(number: int) -> None:
    with pytest.raises(NoDescriptorError):
        raise_if_used_up(OSError(number, "whatever"))


@pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.ENOMEM, None])
def test_other_errors_are_none_of_that(number: int | None) -> None:
    raise_if_used_up(OSError() if number is None else OSError(number, "whatever"))
