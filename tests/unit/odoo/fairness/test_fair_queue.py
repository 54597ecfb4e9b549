from __future__ import annotations

from guestpass.odoo.fairness import fair_queue as room
from guestpass.odoo.fairness.fair_queue import RequestQueue


class Request:
    def __init__(self, visitor: str, log: list[str], name: str) -> None:
        self.visitor = visitor
        self._log = log
        self._name = name

    def take_turn(self) -> None:
        self._log.append(self._name)


def _enter(turns: RequestQueue, log: list[str], *names: str) -> dict[str, Request]:
    """Requests named ``a1``, ``a2``, ``b1``: the letter is the visitor."""
    requests = {name: Request(name[0], log, name) for name in names}
    for request in requests.values():
        assert turns.enter(request)
    return requests


def _is_idle(turns: RequestQueue) -> bool:
    """Whether as many as the limit get a turn at once, so that nobody holds one."""
    log: list[str] = []
    _enter(turns, log, *(f"z{number}" for number in range(turns.limit)))
    return len(log) == turns.limit


def test_as_many_as_the_limit_go_at_once_and_the_rest_wait() -> None:
    log: list[str] = []
    turns = RequestQueue(2)
    requests = _enter(turns, log, "a1", "a2", "a3")
    assert log == ["a1", "a2"]

    turns.leave(requests["a1"])
    assert log == ["a1", "a2", "a3"]


def test_a_visitor_with_many_requests_does_not_hold_up_the_one_with_one() -> None:
    log: list[str] = []
    turns = RequestQueue(1)
    requests = _enter(turns, log, "a1", "a2", "a3", "a4", "b1", "c1", "b2")
    for _ in range(6):
        turns.leave(requests[log[-1]])
    assert log == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


def test_who_leaves_before_the_turn_came_is_passed_over() -> None:
    log: list[str] = []
    turns = RequestQueue(1)
    requests = _enter(turns, log, "a1", "b1", "c1")
    turns.leave(requests["b1"])
    turns.leave(requests["a1"])
    assert log == ["a1", "c1"]
    turns.leave(requests["c1"])
    assert _is_idle(turns)


def test_leaving_twice_frees_one_turn_only() -> None:
    log: list[str] = []
    turns = RequestQueue(1)
    requests = _enter(turns, log, "a1", "a2", "a3")
    turns.leave(requests["a1"])
    turns.leave(requests["a1"])
    assert log == ["a1", "a2"]


def test_a_request_that_leaves_as_soon_as_it_has_its_turn_lets_the_next_one_go() -> None:
    log: list[str] = []
    turns = RequestQueue(1)

    class Hasty(Request):
        def take_turn(self) -> None:
            super().take_turn()
            turns.leave(self)

    first = _enter(turns, log, "a1")["a1"]
    for name in ("b1", "b2"):
        assert turns.enter(Hasty("b", log, name))
    last = _enter(turns, log, "c1")["c1"]
    turns.leave(first)
    turns.leave(last)
    assert sorted(log) == ["a1", "b1", "b2", "c1"]
    assert _is_idle(turns)


def test_a_full_queue_whose_requests_all_leave_at_once_is_emptied() -> None:
    log: list[str] = []
    turns = RequestQueue(1)

    class Refused(Request):
        def take_turn(self) -> None:
            super().take_turn()
            _refuse(turns, self, calls=4)

    holder = _enter(turns, log, "a1")["a1"]
    for number in range(room.MAX_WAITING):
        assert turns.enter(Refused(f"visitor {number}", log, "refused"))
    turns.leave(holder)
    assert len(log) == 1 + room.MAX_WAITING
    assert _is_idle(turns)


def _refuse(turns: RequestQueue, request: Request, *, calls: int) -> None:
    """Leave as an exchange does whose link has ended: a few calls deep."""
    if calls:
        _refuse(turns, request, calls=calls - 1)
    else:
        turns.leave(request)


def test_a_visitor_can_fill_his_own_share_of_the_queue_and_not_that_of_others() -> None:
    log: list[str] = []
    turns = RequestQueue(1)
    _enter(turns, log, "a0")
    for number in range(room.MAX_WAITING_OF_ONE):
        assert turns.enter(Request("a", log, f"a{number}"))
    assert not turns.enter(Request("a", log, "one too many"))
    assert turns.enter(Request("b", log, "b1"))


def test_the_queue_has_an_end() -> None:
    log: list[str] = []
    turns = RequestQueue(1)
    for number in range(room.MAX_WAITING + 1):
        assert turns.enter(Request(f"visitor {number}", log, "x"))
    assert not turns.enter(Request("another", log, "x"))


def test_a_raised_limit_counts_from_the_next_change_on() -> None:
    log: list[str] = []
    turns = RequestQueue(1)
    requests = _enter(turns, log, "a1", "a2", "a3", "a4")
    turns.limit = 3
    turns.leave(requests["a1"])
    assert log == ["a1", "a2", "a3", "a4"]
