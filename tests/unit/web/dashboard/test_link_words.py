from __future__ import annotations

from datetime import UTC, datetime

import pytest

from guestpass.domain.link import EventKind, LinkEvent
from guestpass.domain.reasons import Reason
from guestpass.domain.visit import Refusal
from guestpass.web.dashboard.link_words import agent, describe_event, describe_refusal

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize("kind", EventKind)
def test_everything_that_can_happen_is_told_in_words(kind: EventKind) -> None:
    line = describe_event(LinkEvent("abc", NOW, kind, "olga", "label" if kind is EventKind.CHANGED else None))
    assert line.who in {"olga", "A visitor"}
    assert " " in line.what


def test_a_change_names_what_was_changed() -> None:
    event = LinkEvent("abc", NOW, EventKind.CHANGED, "olga", "label,maxVisitors,somethingNew")
    assert describe_event(event).what == "changed the label, how many are let in and somethingNew"
    assert describe_event(LinkEvent("abc", NOW, EventKind.CHANGED, "olga", "note")).what == "changed the note"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_told_in_words(reason: Reason) -> None:
    line = describe_refusal(Refusal("abc", NOW, reason.value, "a-1", "Firefox 142", "Linux", "192.0.2.0/24"))
    assert "_" not in line.why
    assert line.why[0].isupper()
    assert (line.request_id, line.agent, line.address) == ("a-1", "Firefox 142 on Linux", "192.0.2.0/24")


def test_what_another_version_wrote_is_shown_as_it_is() -> None:
    assert describe_refusal(Refusal("abc", NOW, "of_tomorrow")).why == "of_tomorrow"


def test_what_is_not_known_of_a_browser_is_left_out() -> None:
    assert [agent("Firefox 142", None), agent(None, "Linux"), agent(None, None)] == ["Firefox 142", "Linux", "unknown"]
