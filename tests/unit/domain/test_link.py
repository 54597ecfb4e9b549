from __future__ import annotations

from datetime import timedelta

import pytest
from tests.storage.samples import NOON, make_link

from guestpass.domain.link import Status

TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("expires_at", "deactivated_at", "status"),
    [
        (NOON + TICK, None, Status.ACTIVE),
        (NOON, None, Status.EXPIRED),
        (NOON - TICK, None, Status.EXPIRED),
        (NOON + TICK, NOON, Status.DEACTIVATED),
        (NOON - TICK, NOON - 2 * TICK, Status.DEACTIVATED),
        # Deactivating is meant at once, whatever a clock of another machine says.
        (NOON + TICK, NOON + TICK, Status.DEACTIVATED),
    ],
)
def test_what_a_link_is_worth_at_noon(expires_at: object, deactivated_at: object, status: Status) -> None:
    assert make_link(expires_at=expires_at, deactivated_at=deactivated_at).status(NOON) is status
