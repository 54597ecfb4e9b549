"""A request that was let through, for as long as it waits for something before it acts.

Between the decision and the act a link can end, rotate or let in fewer. So whatever waits stands among what is open
through the link, and after each wait the whole ladder decides once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from guestpass.app.link_cache import LinkEntry
from guestpass.app.ports import Cuttable
from guestpass.domain.reasons import Reason
from guestpass.gateway.admission import Answer, Arrive, Decision, Forward, RequestFacts, TakeSlot
from guestpass.gateway.cookies import CookieJar

if TYPE_CHECKING:
    from guestpass.wire.client_connection import ClientConnection


class Judge(Protocol):
    """Who decided, and can do so again."""

    def judge_again(self, facts: RequestFacts, jar: CookieJar) -> Decision:
        """The decision on what is known now; writes that into `facts`."""
        ...

    def refuse(self, client: ClientConnection, facts: RequestFacts, reply: Answer) -> None:
        """Answer with a refusal."""
        ...


class Admitted:
    """What a request was let through on: its facts, the decision, and the link as it was."""

    __slots__ = (
        "_account",
        "_client",
        "_decision",
        "_environment",
        "_facts",
        "_jar",
        "_judge",
        "_link",
        "_own_pass",
        "_waits",
        "entry",
        "visitor",
    )

    def __init__(
        self,
        judge: Judge,
        client: ClientConnection,
        facts: RequestFacts,
        jar: CookieJar,
        decision: Forward | TakeSlot | Arrive,
        entry: LinkEntry,
        visitor: str | None,
    ) -> None:
        self._judge = judge
        self._client = client
        self._facts = facts
        self._jar = jar
        self._decision = decision
        self._own_pass = facts.own_pass
        self._link = entry.link
        self._environment = entry.environment
        self._account = entry.account
        self._waits = False
        self.entry = entry
        self.visitor = visitor

    @property
    def live(self) -> set[Cuttable]:
        """What is open through the request's link."""
        return self.entry.live

    def refusal(self) -> Answer | None:
        """Why the request may not go on, by all that is known now; None where it was decided as before."""
        decision = self._judge.judge_again(self._facts, self._jar)
        if isinstance(decision, Answer):
            return decision
        if decision == self._decision and self._is_unchanged():
            return None
        # It would be treated otherwise now, and has gone too far for that.
        return Answer(Reason.UNAVAILABLE, self.entry)

    def reason(self) -> Reason | None:
        """The same without words for it."""
        refusal = self.refusal()
        return refusal.reason if refusal is not None else None

    def wait(self) -> None:
        """The request waits; if its link ends meanwhile, or its visit, it is answered at once."""
        self._waits = True
        self._client.wait()
        self.entry.live.add(self)

    def goes_on(self) -> bool:
        """Whether the request that has waited may go on; where not, it has been answered."""
        waited = self._waits
        self._stop_waiting()
        if not waited or not self._client.is_open:
            return False
        refusal = self.refusal()
        if refusal is not None:
            self._judge.refuse(self._client, self._facts, refusal)
        return refusal is None

    def give_up(self, reason: Reason) -> None:
        """What the request has waited for will not come."""
        if self.goes_on():
            self._judge.refuse(self._client, self._facts, Answer(reason, self.entry))

    def cut(self) -> None:
        """The link has ended, or the visit: tell why, where that can be told."""
        waited = self._waits
        self._stop_waiting()
        if not waited or not self._client.is_open:
            return
        refusal = self.refusal()
        if refusal is not None:
            self._judge.refuse(self._client, self._facts, refusal)
        else:
            self._client.abort()

    def _stop_waiting(self) -> None:
        self._waits = False
        self.entry.live.discard(self)

    def _is_unchanged(self) -> bool:
        """Whether what goes on would do what it was let through for, as whom and where."""
        entry = self.entry
        link, environment, account = entry.link, entry.environment, entry.account
        before = self._account
        return (
            self._facts.own_pass == self._own_pass
            and link.version == self._link.version
            and link.access is self._link.access
            and link.account == self._link.account
            and (account.revision if account is not None else None) == (before.revision if before is not None else None)
            and environment.revision == self._environment.revision
            and environment.database == self._environment.database
            and environment.read_only_allow == self._environment.read_only_allow
        )
