"""The corpus itself: large enough, each case with its reason, and each to be told from the others."""

from __future__ import annotations

from collections import Counter

from tests.hostile import requests, responses
from tests.hostile.case import Forwarded, Refused, RequestCase, ResponseCase

FAMILIES: dict[str, tuple[RequestCase | ResponseCase, ...]] = {
    **{family.name: family.cases for family in requests.FAMILIES},
    **{family.name: family.cases for family in responses.FAMILIES},
}


def test_the_corpus_holds_at_least_three_hundred_cases_with_a_reason_each() -> None:
    assert sum(map(len, FAMILIES.values())) >= 300
    for family, cases in FAMILIES.items():
        [(name, count)] = Counter(case.name for case in cases).most_common(1)
        assert count == 1, f"{family}: {name}"
        assert all(case.why and case.sent for case in cases), family


def test_whatever_arrives_of_a_request_is_known_by_its_mark() -> None:
    for family in requests.FAMILIES:
        for case in family.cases:
            arriving = [outcome for outcome in case.seen if isinstance(outcome, Forwarded)]
            assert all(b"MARK" in outcome.target or b"MARK" in case.sent for outcome in arriving), case.name
            assert not any(isinstance(outcome, Refused) for outcome in case.seen[:-1]), case.name
