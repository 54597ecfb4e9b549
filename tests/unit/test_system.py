"""Time goes on and never back, whatever becomes of the machine's clock."""

from __future__ import annotations

from structlog.testing import capture_logs

from guestpass.system import SystemClock


class Machine:
    """A clock on the wall that can be set, and the time that has passed."""

    def __init__(self) -> None:
        self.set_by = 1_700_000_000.0
        self.passed = 0.0

    def clock(self) -> SystemClock:
        return SystemClock(lambda: self.set_by + self.passed, lambda: self.passed)


def test_time_is_the_machines() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(3):
        machine.passed += 1000
        assert clock.timestamp() == machine.set_by + machine.passed
    assert clock.now().timestamp() == machine.set_by + machine.passed


def test_a_clock_that_is_set_forward_is_followed_and_that_is_said_once() -> None:
    machine = Machine()
    with capture_logs() as told:
        clock = machine.clock()
        machine.set_by += 3600
        for _ in range(5):
            machine.passed += 1
            assert clock.timestamp() == machine.set_by + machine.passed
    assert [(line["event"], line["seconds"]) for line in told] == [("clock_set_forward", 3600)]


def test_where_it_is_set_back_time_goes_on_at_its_pace_and_that_is_said_once() -> None:
    machine = Machine()
    with capture_logs() as told:
        clock = machine.clock()
        machine.passed += 10
        before = clock.timestamp()
        machine.set_by -= 3600
        for second in range(1, 6):
            machine.passed += 1
            assert clock.timestamp() == before + second
    assert [(line["event"], line["seconds"]) for line in told] == [("clock_set_back", 3600)]


def test_a_clock_that_was_wrong_and_is_put_right_is_caught_up_with() -> None:
    machine = Machine()
    with capture_logs() as told:
        clock = machine.clock()
        machine.set_by -= 3600
        machine.passed += 1
        clock.timestamp()
        machine.set_by += 7200
        machine.passed += 1
        assert clock.timestamp() == machine.set_by + machine.passed
    assert [(line["event"], line["seconds"]) for line in told] == [
        ("clock_set_back", 3600),
        ("clock_set_forward", 7200),
    ]
