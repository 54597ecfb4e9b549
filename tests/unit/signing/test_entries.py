from __future__ import annotations

from guestpass.signing.keys import Keys
from guestpass.signing.passes import PassSigner
from guestpass.system import SystemEntropy

SIGNER = PassSigner(Keys.from_secret("a secret of the tests, just long enough"), SystemEntropy())
LINK = "k7nq2w5d3mzr4xta"
PASS = SIGNER.issue(LINK, 3, 1_800_000_000)
NOW = 1_800_000_100


def test_an_entry_ticket_stands_for_a_pass_and_no_two_are_alike() -> None:
    one, other = (SIGNER.read_entry(SIGNER.write_entry(PASS, NOW)) for _ in range(2))
    assert one is not None
    assert other is not None
    assert one.visitor_pass == other.visitor_pass == PASS
    assert one.nonce != other.nonce
    assert one.is_within(60, NOW + 60)
    assert not one.is_within(60, NOW + 61), "its own time counts, not that of the pass"
    assert not one.is_within(60, NOW - 61)


def test_it_is_taken_for_nothing_else_and_nothing_else_for_it() -> None:
    entry, text, preview = SIGNER.write_entry(PASS, NOW), SIGNER.write(PASS), SIGNER.write_ticket(PASS)
    for changed in (entry, f"1{entry[1:]}", f"p{entry[1:]}"):
        assert SIGNER.read(changed) is None
        assert SIGNER.read_ticket(changed) is None
    for other in (text, preview, f"e{text[1:]}", f"e{preview[1:]}"):
        assert SIGNER.read_entry(other) is None


def test_whatever_is_changed_in_it_makes_it_none() -> None:
    entry = SIGNER.write_entry(PASS, NOW)
    for index in range(len(entry)):
        changed = "b" if entry[index] != "b" else "c"
        assert SIGNER.read_entry(entry[:index] + changed + entry[index + 1 :]) is None
        assert SIGNER.read_entry(entry[:index]) is None
    stranger = PassSigner(Keys.from_secret("another secret of the tests, as long"), SystemEntropy())
    assert stranger.read_entry(entry) is None
