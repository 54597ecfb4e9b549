"""Send requests under the session of a visitor whom their link signs in, and sign them out."""

from __future__ import annotations

from guestpass.app.visitor_sessions import NoSession, VisitorSession
from guestpass.domain.reasons import Reason
from guestpass.domain.visitor_pass import VisitorPass
from guestpass.gateway.context import ForwardedRequest, Reply
from guestpass.gateway.cookies import expired
from guestpass.odoo.destination import OdooDestination
from guestpass.odoo.services import OdooServices
from guestpass.odoo.signed_in.session_filter import SessionUse
from guestpass.signing.passes import pass_name


class SignedInRequests:
    """The visitors of one Odoo."""

    def __init__(self, services: OdooServices, destination: OdooDestination) -> None:
        self._services = services
        self._sessions = services.sessions
        self._destination = destination

    def send(self, request: ForwardedRequest, target: bytes) -> None:
        """Send a request under the visitor's session, which is made where there is none."""
        session = self._sessions.peek(request.entry, request.visitor_pass.visitor)
        if session is None and request.may_sign_in:
            request.wait()
            self._services.runtime.spawn(self._sign_in(request, target))
        else:
            self._destination.send(request, target, self._use(request, session))

    def leave(self, request: ForwardedRequest) -> None:
        """End the visit of a visitor who logs out."""
        request.client.wait()
        self._services.runtime.spawn(self._leave(request))

    async def _sign_in(self, request: ForwardedRequest, target: bytes) -> None:
        use = self._use(request, None)
        try:
            await use.renew()
        except NoSession as error:
            request.give_up(error.reason)
        except Exception:
            request.give_up(Reason.UNAVAILABLE)
            raise
        else:
            if request.goes_on():
                self._destination.send(request, target, use)

    def _use(self, request: ForwardedRequest, session: VisitorSession | None) -> SessionUse:
        return SessionUse(
            self._sessions,
            request.entry,
            request.visitor_pass.visitor,
            request.facts.address,
            session,
            request.reason,
            request.pass_ends_at,
        )

    async def _leave(self, request: ForwardedRequest) -> None:
        """End their visit, and have Odoo told so."""
        entry, client, visitor = request.entry, request.client, request.visitor_pass.visitor
        try:
            # In this order: with the pass nobody is signed in again once the session is gone.
            await self._services.slots.leave([VisitorPass(entry.link.id, entry.link.version, visitor, 0)])
            await self._sessions.end(entry, visitor)
        except Exception:
            if client.is_open:
                request.reply(Reply(Reason.UNAVAILABLE, link=entry))
            raise
        finally:
            entry.cut(visitor)
        if client.is_open:
            name = pass_name(secure=self._services.secure).encode()
            gone = b"Set-Cookie: %b\r\n" % expired(name, secure=self._services.secure)
            request.reply(Reply(Reason.VISIT_ENDED, extra=(gone,), link=entry))
