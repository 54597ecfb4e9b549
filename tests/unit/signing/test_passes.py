from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.domain.visitor_pass import VisitorPass
from guestpass.signing.keys import Keys
from guestpass.signing.passes import COOKIE_NAMES, PassSigner, pass_cookie
from guestpass.system import SystemEntropy

KEYS = Keys.from_secret("s" * 32)
LINK_ID = "abcdefgh234567ab"
SIGNER = PassSigner(KEYS, SystemEntropy())
ISSUED_AT = 1_772_366_400


def test_a_pass_comes_back_as_it_was_issued() -> None:
    issued = SIGNER.issue(LINK_ID, 3, ISSUED_AT)
    assert (issued.link_id, issued.link_version, issued.issued_at) == (LINK_ID, 3, ISSUED_AT)
    assert SIGNER.read(SIGNER.write(issued)) == issued


def test_each_pass_is_another_visitor_of_128_bits() -> None:
    visitors = {SIGNER.issue(LINK_ID, 1, ISSUED_AT).visitor for _ in range(200)}
    assert len(visitors) == 200
    assert {len(visitor) for visitor in visitors} == {22}


def test_only_the_key_makes_a_pass() -> None:
    issued = SIGNER.issue(LINK_ID, 1, ISSUED_AT)
    theirs = PassSigner(Keys.from_secret("t" * 32), SystemEntropy())
    assert theirs.read(SIGNER.write(issued)) is None
    assert theirs.write(issued) != SIGNER.write(issued)


@pytest.mark.parametrize(
    "change",
    [{"link_id": "b" * 16}, {"link_version": 2}, {"visitor": "A" * 22}, {"issued_at": ISSUED_AT + 1}],
)
def test_no_fact_can_be_changed(change: dict[str, str | int]) -> None:
    issued = SIGNER.issue(LINK_ID, 1, ISSUED_AT)
    other = replace(issued, **change)  # type: ignore[arg-type]
    mac = SIGNER.write(issued).rpartition(".")[2]
    forged = SIGNER.write(other).rpartition(".")[0] + "." + mac
    assert SIGNER.read(forged) is None
    assert SIGNER.read(SIGNER.write(other)) == other


@given(st.data())
def test_any_change_to_the_text_is_noticed(data: st.DataObject) -> None:
    text = SIGNER.write(VisitorPass(LINK_ID, 1, "A" * 22, ISSUED_AT))
    position = data.draw(st.integers(0, len(text) - 1))
    changed = text[:position] + data.draw(st.text(max_size=2)) + text[position + 1 :]
    assert changed == text or SIGNER.read(changed) is None


@pytest.mark.parametrize(
    "facts",
    [
        f"2.{LINK_ID}.1.{'A' * 22}.{ISSUED_AT}",
        f"1.{LINK_ID.upper()}.1.{'A' * 22}.{ISSUED_AT}",
        f"1.{LINK_ID}.-1.{'A' * 22}.{ISSUED_AT}",
        f"1.{LINK_ID}.\u0661.{'A' * 22}.{ISSUED_AT}",
        f"1.{LINK_ID}.1.{'A' * 22}.{ISSUED_AT}.x",
        f"1.{LINK_ID}.1.{'A' * 22}.{'9' * 12}",
    ],
)
def test_another_form_is_refused_even_when_it_is_signed(facts: str) -> None:
    mac = hmac.digest(KEYS.passes, facts.encode(), hashlib.sha256)
    text = f"{facts}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert SIGNER.read(text) is None


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    assert SIGNER.read(text) is None


def test_a_cookie_tag_is_one_visitors_of_one_link() -> None:
    issued = SIGNER.issue(LINK_ID, 1, ISSUED_AT)
    tag = SIGNER.cookie_tag(issued)
    assert len(tag) == 22
    # A pass that the same visitor gets anew keeps what the environment knows of them.
    assert SIGNER.cookie_tag(replace(issued, issued_at=ISSUED_AT + 9, link_version=2)) == tag
    others = (
        SIGNER.cookie_tag(replace(issued, link_id="b" * 16)),
        SIGNER.cookie_tag(SIGNER.issue(LINK_ID, 1, ISSUED_AT)),
        PassSigner(Keys.from_secret("t" * 32), SystemEntropy()).cookie_tag(issued),
    )
    assert tag not in others


@pytest.mark.parametrize("secure", [False, True])
def test_the_cookie_is_kept_from_scripts_and_other_sites(secure: bool) -> None:
    line = pass_cookie("value", secure=secure)
    pair, *attributes = line.split("; ")
    name, value = pair.split("=")
    assert (name, value) == ("__Host-Http-guestpass" if secure else "guestpass", "value")
    assert name in COOKIE_NAMES
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=34560000"} <= set(attributes)
    assert ("Secure" in attributes) == secure
    assert not any(attribute.startswith("Domain") for attribute in attributes)
