"""Ask Odoo which server actions a call names before the call itself is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from guestpass.app.notices import RenderedNotice
from guestpass.odoo.http.file_filter import FileFilter
from guestpass.odoo.view_only.actions import ActionCheck, Call, Refused
from guestpass.wire.heads import ResponseHead
from guestpass.wire.stages import ExchangeControl

_LONGEST_ANSWER: Final = 64 * 1024


class AskingPlan(Protocol):
    """What is made of a request for which something may have to be asked first."""

    @property
    def check(self) -> ActionCheck | None:
        """What is asked; None as soon as the call itself is sent."""
        ...

    def goes_on_with(self, call: Call) -> None:
        """The head of what is sent next is that of this call."""
        ...


class ActionFilter:
    """Reads the answers to such questions; what answers the call itself is passed to `files`.

    `send` gives the body of the next request, `refuse` makes the answer for an action that may not be run.
    """

    __slots__ = ("_exchange", "_files", "_head", "_plan", "_refuse", "_send")

    def __init__(
        self,
        plan: AskingPlan,
        files: FileFilter,
        send: Callable[[bytes], None],
        refuse: Callable[[Refused], RenderedNotice],
    ) -> None:
        self._plan = plan
        self._files = files
        self._send = send
        self._refuse = refuse
        self._exchange: ExchangeControl | None = None
        self._head: ResponseHead | None = None

    def take(self, exchange: ExchangeControl, head: ResponseHead, data: bytes) -> None:
        """Read an answer, or pass the response on."""
        if not self.takes(exchange, head, data):
            exchange.pass_on(head, data)

    def takes(self, exchange: ExchangeControl, head: ResponseHead, data: bytes) -> bool:
        """Whether the response answers a question of ours, or goes no further."""
        check, length = self._plan.check, head.content_length
        if check is None or head.status != 200 or length is None or length > _LONGEST_ANSWER:
            return self._files.takes(exchange, head, data)
        self._exchange, self._head = exchange, head
        exchange.hold(data, pause=False)
        if len(data) >= length:
            self._go_on(exchange, head, check, data)
        return True

    def more(self, held: bytearray, *, ended: bool) -> None:
        """Read an answer once it is whole."""
        exchange, head, check = self._exchange, self._head, self._plan.check
        if exchange is None or head is None or check is None:
            return
        if ended or len(held) >= (head.content_length or 0):
            self._go_on(exchange, head, check, bytes(held))

    def _go_on(self, exchange: ExchangeControl, head: ResponseHead, check: ActionCheck, answer: bytes) -> None:
        self._exchange = self._head = None
        step = check.answered(answer)
        if step is None:
            exchange.release(head)
        elif isinstance(step, Refused):
            notice = self._refuse(step)
            exchange.withdraw()
            exchange.client.answer_instead(notice.status, notice.fields, notice.body)
        else:
            self._plan.goes_on_with(step)
            self._send(step.body)
            exchange.discard_response()
            # Not within the call of the connection that was dropped.
            asyncio.get_running_loop().call_soon(_take_turn, exchange)


def _take_turn(exchange: ExchangeControl) -> None:
    if not exchange.is_over:
        exchange.take_turn()
