"""How the tests are run: none for ever, and with the same examples each time."""

from __future__ import annotations

import hypothesis
import pytest


def test_no_test_hangs_for_ever(request: pytest.FixtureRequest) -> None:
    assert request.config.pluginmanager.hasplugin("timeout")
    assert 120 <= float(request.config.getini("timeout")) <= 600


def test_examples_are_the_same_each_time_and_random_in_a_campaign(request: pytest.FixtureRequest) -> None:
    usual, campaign = (hypothesis.settings.get_profile(name) for name in ("guestpass", "campaign"))
    assert usual.derandomize
    assert not campaign.derandomize
    assert (usual.deadline, campaign.deadline) == (None, None)
    asked_for = request.config.getoption("--hypothesis-profile")
    assert hypothesis.settings.get_current_profile_name() == (asked_for or "guestpass")
