from __future__ import annotations

import pytest

from guestpass.domain.reasons import Reason
from guestpass.wire.failures import Failure


@pytest.mark.parametrize("failure", Failure)
def test_each_failure_of_the_wire_is_a_reason_that_visitors_can_be_told(failure: Failure) -> None:
    assert Reason(failure).value == failure.value
