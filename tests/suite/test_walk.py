"""How a walk through a real Odoo judges a screen."""

from __future__ import annotations

from typing import Any

import pytest
from tests.real_odoo.walk import NOTHING, Outcome, Screen, Walk, judged

SENTENCE = "This link is view-only: you can look, but not change anything."
LIST = NOTHING | {"kind": "list", "headings": ["Name", "Email"], "counts": {"rows": 3}}
REFUSED = NOTHING | {"kind": "dialog", "dialogs": [{"title": "Invalid Operation", "text": SENTENCE, "crash": False}]}
CRASH = NOTHING | {"kind": "dialog", "dialogs": [{"title": "Oops!", "text": "An error occurred", "crash": True}]}
PAGE = NOTHING | {"kind": "page", "status": 200}
OUTCOMES: list[tuple[Outcome, dict[str, Any], dict[str, Any], list[str]]] = [
    ("shown", LIST, LIST, []),
    ("shown", LIST, LIST, ["update res_partner 3: name"]),
    ("shown", CRASH, CRASH, []),
    ("refused", LIST, REFUSED, []),
    ("refused", LIST, LIST | {"notifications": [SENTENCE]}, []),
    ("refused", PAGE, PAGE | {"status": 403, "text": SENTENCE}, []),
    ("writes", LIST, REFUSED, ["insert project_milestone 3"]),
    ("differs", LIST, LIST | {"counts": {"rows": 2}}, []),
    ("differs", LIST, LIST | {"headings": ["Name"]}, []),
    ("differs", LIST, LIST | {"errors": ["Failed to load resource: 403 (https://x.example/a)"]}, []),
    ("differs", LIST, LIST | {"kind": "kanban"}, []),
    ("differs", PAGE, PAGE | {"status": 403}, []),
    ("broken", LIST, CRASH, []),
    ("broken", LIST, NOTHING | {"kind": "blank"}, []),
    ("broken", LIST, LIST | {"quiet": False}, []),
]


@pytest.mark.parametrize(("outcome", "direct", "linked", "moved_directly"), OUTCOMES)
def test_a_screen_is_judged_by_what_stands_there_directly(
    outcome: Outcome, direct: dict[str, Any], linked: dict[str, Any], moved_directly: list[str]
) -> None:
    screen = judged("Contacts", direct, linked, [], moved_directly)
    assert screen.outcome == outcome
    assert bool(screen.differences) == (outcome != "shown")


def test_an_error_on_both_sides_is_odoos_own() -> None:
    errors = [
        LIST | {"errors": [f"Failed to load http://{host}/web/x/3"]} for host in ("127.0.0.1:8069", "a.localhost")
    ]
    assert judged("Contacts", errors[0], errors[1], [], []).outcome == "shown"


def test_what_writes_directly_too_does_not_count_among_what_reads() -> None:
    outcomes: list[Outcome] = ["shown", "shown", "shown", "refused", "writes"]
    assert Walk("18.0", [Screen("Contacts", each) for each in outcomes]).share == 0.75
