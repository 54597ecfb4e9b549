from __future__ import annotations

from guestpass.domain.visitor_pass import VisitorPass
from guestpass.signing.keys import Keys
from guestpass.signing.passes import PassSigner
from guestpass.system import SystemEntropy

SIGNER = PassSigner(Keys.from_secret("a secret of the tests, just long enough"), SystemEntropy())
LINK = "k7nq2w5d3mzr4xta"


def test_a_preview_is_known_by_its_visitor() -> None:
    one, other = (SIGNER.issue_preview(LINK, 3, 1_800_000_000) for _ in range(2))
    assert one.is_preview
    assert one.visitor != other.visitor
    assert not SIGNER.issue(LINK, 3, 1_800_000_000).is_preview
    assert SIGNER.read(SIGNER.write(one)) == one


def test_a_ticket_and_a_pass_are_never_taken_for_each_other() -> None:
    preview = SIGNER.issue_preview(LINK, 3, 1_800_000_000)
    ticket, text = SIGNER.write_ticket(preview), SIGNER.write(preview)
    assert SIGNER.read_ticket(ticket) == preview
    assert SIGNER.read(ticket) is None
    assert SIGNER.read_ticket(text) is None
    assert SIGNER.read(f"1{ticket[1:]}") is None
    assert SIGNER.read_ticket(f"p{text[1:]}") is None


def test_a_promise_is_neither_a_pass_nor_a_ticket() -> None:
    promised = SIGNER.issue(LINK, 3, 1_800_000_000)
    promise = SIGNER.write_promise(promised)
    assert SIGNER.read_promise(promise) == promised
    assert SIGNER.read(promise) is SIGNER.read_ticket(promise) is None
    assert SIGNER.read_entry(promise) is None
    for kind in ("1", "p"):
        changed = f"{kind}{promise[1:]}"
        assert SIGNER.read(changed) is SIGNER.read_ticket(changed) is None
    assert SIGNER.read_promise(SIGNER.write(promised)) is SIGNER.read_promise(SIGNER.write_ticket(promised)) is None


def test_what_was_changed_in_a_ticket_makes_it_none() -> None:
    preview = VisitorPass(LINK, 3, SIGNER.issue_preview(LINK, 3, 1).visitor, 1_800_000_000)
    ticket = SIGNER.write_ticket(preview)
    for index in range(len(ticket)):
        changed = "b" if ticket[index] != "b" else "c"
        assert SIGNER.read_ticket(ticket[:index] + changed + ticket[index + 1 :]) is None
