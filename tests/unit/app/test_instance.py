from __future__ import annotations

import pytest

from guestpass.app.instance import AnotherKey, Instance

ALL = Instance(
    public_url="https://share.example.com",
    admin_url="https://admin.example.com",
    link_domain="links.example.com",
    key_fingerprint="0123456789abcdef",
)


def test_what_is_kept_is_read_again_and_facts_of_other_versions_are_passed_over() -> None:
    kept = {name: value for name, value in ALL.facts().items() if value is not None}
    assert Instance.from_facts(kept | {"colour": "blue"}) == ALL
    assert Instance.from_facts({}) == Instance()
    assert set(Instance().facts()) == set(kept)


def test_a_database_is_used_with_the_key_that_it_was_made_with() -> None:
    ALL.require_key("0123456789abcdef")
    Instance().require_key("anything")
    with pytest.raises(AnotherKey, match=r"01234567, and this one's is fedcba98.*GUESTPASS_SECRET_KEY"):
        ALL.require_key("fedcba9876543210")
